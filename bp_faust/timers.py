"""Emit simulated readings at the set interval, from one worker only."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import orjson

from bp_faust.app import app, settings
from bp_faust.signals import SIGNAL_KEY, Clock, signals
from bp_faust.simulation import Population
from bp_faust.topics import patient_readings, readings


@app.timer(settings.clock_interval, on_leader=True, name="clock")
async def clock() -> None:
    """Tell every partition the time, so that missing readings are missed."""
    value = signals.encode(Clock(time.time()))
    for partition in range(app.conf.topic_partitions):
        await (await patient_readings.send(key=SIGNAL_KEY, value=value, partition=partition))


if settings.simulation_interval:
    _population = Population(settings.simulation_seed, settings.simulation_patients)

    @app.timer(settings.simulation_interval, on_leader=True, name="simulate")
    async def simulate() -> None:
        """Send one simulated reading."""
        envelope = _population.reading(datetime.fromtimestamp(time.time(), timezone.utc))
        await (await readings.send(value=orjson.dumps(envelope)))
