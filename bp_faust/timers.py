"""Emit simulated readings at the set interval, from one worker only."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import orjson

from bp_faust.app import app, settings
from bp_faust.dead_letters.refusal_log import refusal_log
from bp_faust.settings.reading import read_scenario
from bp_faust.signals import SIGNAL_KEY, Clock, signals
from bp_faust.simulation import Simulation
from bp_faust.simulation.pace import Pace
from bp_faust.topics import patient_readings, readings

#: In seconds; where readings are due more often, several are sent at a time.
_SHORTEST_TICK = 0.1
#: So that the worker's own work gets its turns.
_SENT_AT_A_TIME = 500


@app.timer(settings.clock_interval, on_leader=True, name="clock")
async def clock() -> None:
    """Tell every partition the time, so that missing readings are missed."""
    value = signals.encode(Clock(time.time()))
    for partition in range(app.conf.topic_partitions):
        await (await patient_readings.send(key=SIGNAL_KEY, value=value, partition=partition))


@app.timer(1.0, name="refusal-log")
async def tell_refusals() -> None:
    """Tell in the log of what was refused."""
    refusal_log.tell()


if settings.simulation_interval:
    _zone = ZoneInfo(settings.default_time_zone)
    _simulation = Simulation(
        read_scenario(settings),
        settings.simulation_seed,
        settings.simulation_patients,
        datetime.fromtimestamp(time.time(), _zone).date(),
    )
    _pace = Pace(settings.simulation_interval)

    @app.timer(max(settings.simulation_interval, _SHORTEST_TICK), on_leader=True, name="simulate")
    async def simulate() -> None:
        """Send the simulated readings that are due."""
        due = [datetime.fromtimestamp(at, _zone) for at in _pace.due(time.time())]
        parts = [due[start : start + _SENT_AT_A_TIME] for start in range(0, len(due), _SENT_AT_A_TIME)]
        # One after the other, each part would wait for Kafka's answer to the one before.
        await asyncio.gather(*map(_send_simulated, parts))

    async def _send_simulated(times: list[datetime]) -> None:
        values = [orjson.dumps(_simulation.message(at)) for at in times]
        await app.send_values(readings, values)
