"""Simulate people whose blood pressure is measured, from a seed and a scenario."""

from bp_faust.simulation.course import Simulation
from bp_faust.simulation.scenario import Scenario, ScenarioError

__all__ = ["Scenario", "ScenarioError", "Simulation"]
