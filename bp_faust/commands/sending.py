"""Add the commands send and produce: readings for the ingest topic, simulated or of a file."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import orjson
from aiokafka import AIOKafkaProducer
from faust.cli import option
from faust.cli.send import send as faust_send

from bp_faust.app import app, settings
from bp_faust.commands.command import Command
from bp_faust.commands.terminal import progress_bar
from bp_faust.engine.broker import admin_client, client_settings, ensure_topics
from bp_faust.input_files import InputFileError, read_resources
from bp_faust.simulation import ScenarioError, Simulation
from bp_faust.simulation.people import FIRST_YEAR
from bp_faust.simulation.scenarios import find_scenario
from bp_faust.topic_records import partitions_of
from bp_faust.topics import readings

#: How many readings may be on their way to Kafka, and after how many others get a turn.
_MOST_PENDING = 10_000
_TURN = 50
#: What the ingest topic may be called.
_INGEST = {"readings", "@intake", settings.readings_topic}

#: So that readings rarely wait for a batch to be answered before they fit into the next one.
_BATCH_BYTES = 1 << 20


def _now() -> datetime:
    return datetime.now(ZoneInfo(settings.default_time_zone))


def _simulation(scenario: str | None, seed: int | None, start: datetime) -> Simulation:
    """Return a simulation whose day 1 is that of ``start``; without a seed, of other patients each time."""
    try:
        found = find_scenario(scenario or settings.simulation_scenario)
    except ScenarioError as exc:
        raise InputFileError(str(exc)) from exc
    chance = int(start.timestamp() * 1_000_000) if seed is None else seed
    return Simulation(found, chance, settings.simulation_patients, start.date())


def _present(simulation: Simulation) -> Iterator[bytes]:
    """Yield simulated readings of the present moment."""
    while True:
        yield orjson.dumps(simulation.message(_now()))


class _SimulatedReadings:
    """Stand for the ingest topic where no value is given: every message is another simulated reading."""

    def __init__(self, topic: Any) -> None:
        self._topic = topic
        self._values = _present(_simulation(None, None, _now()))

    async def send(self, **message: Any) -> Any:
        return await self._topic.send(**{**message, "value": next(self._values)})


class send(Command, faust_send):
    """Send message to agent/topic; without a VALUE, "readings" is sent a simulated reading.

    \b
    Examples:
      faust -A bp_faust send readings
      faust -A bp_faust send readings '{"resourceType": "Observation"}'
    """

    async def run(self, entity: str, value: str | None, *args: Any, **kwargs: Any) -> Any:
        """Send the message, after a look whether there is a broker, and such a partition."""
        if kwargs["repeat"] < 1:
            raise click.UsageError("--repeat must be 1 or more.", self.ctx)
        async with admin_client(app):
            pass
        await ensure_topics(app, app.wanted_topics)
        self._simulate = value is None
        if (partition := kwargs["partition"]) is not None:
            topic = self._topic_name(entity)
            count = len(await partitions_of(app, topic))
            if not 0 <= partition < count:
                raise click.UsageError(f"Topic {topic} has partitions 0 to {count - 1}, and no {partition}.", self.ctx)
        return await super().run(entity, value, *args, **kwargs)

    def _topic_name(self, entity: str) -> str:
        if entity in _INGEST:
            return settings.readings_topic
        if not entity.startswith("@"):
            return entity
        # Faust would look for it among the package's modules.
        agent: Any = app.agents.get(entity[1:])
        if agent is None:
            raise click.UsageError(f"There is no agent {entity}: `agents` lists those there are.", self.ctx)
        return str(agent.channel.get_topic_name())

    def to_topic(self, entity: str) -> Any:
        """Return the topic or agent of that name; "readings" is the ingest topic, whatever its name."""
        if entity not in _INGEST:
            return super().to_topic(self._topic_name(entity))
        return _SimulatedReadings(readings) if self._simulate else readings


def _start(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    zone = ZoneInfo(settings.default_time_zone)
    try:
        start = datetime.fromisoformat(value)
        start = start.astimezone(zone) if start.tzinfo is not None else start.replace(tzinfo=zone)
    except (ValueError, OverflowError) as exc:
        raise click.BadParameter("write a day like 2026-11-01, or a time like 2026-11-01T15:00") from exc
    if start.year < FIRST_YEAR:
        raise click.BadParameter(f"some simulated patients are born later: write {FIRST_YEAR}-01-01 or a later day")
    return start


class produce(Command):
    """Send simulated readings, or those of a file, to the ingest topic.

    \b
    Examples:
      faust -A bp_faust produce --rate 5000 --count 100000
      faust -A bp_faust produce --scenario treatment --from 2026-11-01 --days 30
      faust -A bp_faust produce --file examples/ghana-readings.ndjson.gz
    """

    options = [
        option(
            "--count",
            type=click.IntRange(min=0),
            help="How many readings to send [default: 10; of a file or of past days all].",
        ),
        option(
            "--rate",
            type=click.FloatRange(min=0),
            help="Readings a second, 0 for as fast as possible [default: 1; of a file or of past days 0].",
        ),
        option("--file", help="A file of FHIR resources, Bundles or envelopes, one a line; may be gzipped."),
        option("--scenario", help="What to simulate: a scenario's id, or the path of its file."),
        option("--from", "start", callback=_start, help="Simulate what was measured from that day or time on."),
        option(
            "--days",
            type=click.IntRange(1, 36_500),
            help="For so many days, until now at most [default: until now].",
        ),
        option(
            "--seed",
            type=int,
            help="Draw the patients from this number [default: of past days the worker's, else another each time].",
        ),
    ]

    async def run(
        self,
        count: int | None,
        rate: float | None,
        file: str | None,
        scenario: str | None,
        start: datetime | None,
        days: int | None,
        seed: int | None,
    ) -> None:
        """Send the readings, and say how many."""
        if file is not None and (scenario, start, days, seed) != (None, None, None, None):
            raise click.UsageError("--scenario, --from, --days and --seed are for simulated readings.", self.ctx)
        if days is not None and start is None:
            raise click.UsageError("--days needs --from.", self.ctx)
        if rate is not None and math.isnan(rate):
            raise click.UsageError("--rate must be a number.", self.ctx)
        if start is not None and start > _now():
            raise click.UsageError("--from lies in the future: nothing has been measured then.", self.ctx)
        if file is None and start is None:
            count, rate = 10 if count is None else count, 1.0 if rate is None else rate
        with progress_bar(self.quiet) as bar:
            task = bar.add_task("Sending", total=count)

            def progress(done: int) -> None:
                bar.update(task, completed=done)

            if file is not None:
                path = Path(file)
                bar.update(task, total=path.stat().st_size if path.is_file() else None)
                values = read_resources(path, progress)
            elif start is not None:
                simulation = _simulation(scenario, settings.simulation_seed if seed is None else seed, start)
                end = min(start + timedelta(days=days), _now()) if days is not None else _now()
                past = (orjson.dumps(version.message) for version in simulation.history(start, end))
                values = _counting(past, progress)
            else:
                values = _counting(_present(_simulation(scenario, seed, _now())), progress)
            await ensure_topics(app, app.wanted_topics)
            sent = await _produce(values, count, rate or 0.0)
            if file is None:
                progress(sent)
        self.say_result(f"{sent} readings sent to {settings.readings_topic}", sent=sent, topic=settings.readings_topic)


def _counting(values: Iterator[bytes], progress: Any) -> Iterator[bytes]:
    for number, value in enumerate(values, 1):
        yield value
        if number % _TURN == 0:
            progress(number)


async def _produce(values: Iterator[bytes], count: int | None, rate: float) -> int:
    """Send values at a rate; return how many Kafka acknowledged, which is all of them, or raise."""
    sent = 0
    pending: deque[asyncio.Future[Any]] = deque()
    loop = asyncio.get_running_loop()
    async with AIOKafkaProducer(
        acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=_BATCH_BYTES, **client_settings(app)
    ) as producer:
        started = loop.time()
        while count is None or sent < count:
            early = started + sent / rate - loop.time() if rate else 0.0
            if early > 0 or sent % _TURN == 0:
                await asyncio.sleep(max(early, 0.0))
            value = next(values, None)
            if value is None:
                break
            pending.append(await producer.send(settings.readings_topic, value))
            sent += 1
            if len(pending) >= _MOST_PENDING:
                await pending.popleft()
        await asyncio.gather(*pending)
    return sent
