"""Say what tests of the simulation share: seeds, times, and what they look at."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from bp_faust.simulation import Scenario, Simulation
from bp_faust.simulation.scenario import Errors
from bp_faust.simulation.scenarios import find_scenario, shipped

MAY = datetime(2026, 5, 1, tzinfo=timezone.utc)

#: Every error is likely.
ERRORS = Errors(one_missing=0.2, both_missing=0.1, kilopascals=0.1, mistyped=0.2, wrong_patient=0.1)

SHIPPED = {name: find_scenario(name) for name in shipped()}

seeds = st.integers(-(2**63), 2**63)
sizes = st.integers(1, 12)
scenarios = st.sampled_from(list(SHIPPED.values()))
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))) | st.sampled_from(
    [ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]
)
#: Without the hours that a change of clocks leaves out.
moments = st.datetimes(datetime(2006, 1, 1), datetime(2100, 1, 1), timezones=zones).map(
    lambda at: at.astimezone(timezone.utc).astimezone(at.tzinfo)
)


def simulation(scenario: Scenario, seed: int = 2026, patients: int = 20, start: datetime = MAY) -> Simulation:
    return Simulation(scenario, seed, patients, start.date())


def a_day(count: int, start: datetime = MAY) -> list[datetime]:
    return [start + timedelta(days=1) * number / count for number in range(count)]


def mmhg(message: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return the two values of a message in mmHg, None for one that is absent."""
    systolic, diastolic = (part.get("valueQuantity", {}).get("value") for part in message["observation"]["component"])
    return systolic, diastolic
