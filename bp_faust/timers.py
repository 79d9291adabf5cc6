"""Emit simulated readings at the set interval, from one worker only."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import orjson

from bp_faust.app import app, settings
from bp_faust.simulation import Population
from bp_faust.topics import readings

if settings.simulation_interval:
    _population = Population(settings.simulation_seed, settings.simulation_patients)

    @app.timer(settings.simulation_interval, on_leader=True, name="simulate")
    async def simulate() -> None:
        """Send one simulated reading."""
        envelope = _population.reading(datetime.fromtimestamp(time.time(), timezone.utc))
        await (await readings.send(value=orjson.dumps(envelope)))
