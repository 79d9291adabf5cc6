"""Add our commands to Faust's: send, generate, produce, stack and demo."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import click
import orjson
from aiokafka import AIOKafkaProducer
from faust.cli import option
from faust.cli.send import send as faust_send
from faust.cli.worker import worker as faust_worker

from bp_faust.app import app, settings
from bp_faust.command import Command, run_told
from bp_faust.engine.broker import admin_client, client_settings, ensure_topics
from bp_faust.fhir.resources import InvalidResource, observation, validate
from bp_faust.input_files import InputFileError, read_resources
from bp_faust.local.downloads import default_cache_dir
from bp_faust.local.foreground import ended_by_signals
from bp_faust.local.stack import Stack
from bp_faust.local.stack import purge as purge_stack
from bp_faust.local.worker import Worker
from bp_faust.simulation import Population
from bp_faust.terminal import progress_bar
from bp_faust.topics import readings
from bp_faust.web_access import is_loopback


def _simulated_values() -> Iterator[bytes]:
    """Yield simulated readings of the present moment, of other patients each time this program runs."""
    population = Population(int(datetime.now(timezone.utc).timestamp() * 1000), settings.simulation_patients)
    while True:
        yield orjson.dumps(population.reading(datetime.now(timezone.utc)))


class _SimulatedReadings:
    """Stand for the ingest topic where no value is given: every message is another simulated reading."""

    def __init__(self, topic: Any) -> None:
        self._topic = topic
        self._values = _simulated_values()

    async def send(self, **message: Any) -> Any:
        return await self._topic.send(**{**message, "value": next(self._values)})


class send(Command, faust_send):
    """Send message to agent/topic; without a VALUE, "readings" is sent a simulated reading."""

    async def run(self, entity: str, value: str | None, *args: Any, **kwargs: Any) -> Any:
        """Send the message, after a look whether there is a broker."""
        async with admin_client(app):
            pass
        await ensure_topics(app, app.wanted_topics)
        self._simulate = value is None
        return await super().run(entity, value, *args, **kwargs)

    def to_topic(self, entity: str) -> Any:
        """Return the topic or agent of that name; "readings" is the ingest topic, whatever its name."""
        if entity not in {"readings", "@intake", settings.readings_topic}:
            return super().to_topic(entity)
        return _SimulatedReadings(readings) if self._simulate else readings


class worker(faust_worker):
    """Start worker instance for given app."""

    def as_service(self, *args: Any, **kwargs: Any) -> Any:
        """Return the app, unless anyone on the network could look into it without a token."""
        service = super().as_service(*args, **kwargs)
        conf = app.conf
        if conf.web_enabled and settings.web_token is None and not is_loopback(conf.web_bind or ""):
            raise SystemExit(
                f"Error: the web server is to listen on {conf.web_bind}, where others reach it, and BP_FAUST_WEB_TOKEN "
                "is not set: set it to 16 characters or more, or BP_FAUST_WEB_BIND to 127.0.0.1."
            )
        return service


@app.command(
    option("--output", "-o", default="blood_pressure.json", help="The file to write."),
    option("--patient", default="patient-123", help="The patient's id."),
    option("--systolic", type=float, default=120, help="Systolic pressure in mmHg."),
    option("--diastolic", type=float, default=80, help="Diastolic pressure in mmHg."),
    base=Command,
)
async def generate(self: Command, output: str, patient: str, systolic: float, diastolic: float) -> None:
    """Write a FHIR blood-pressure Observation to a file."""
    resource = observation(patient, systolic, diastolic, identity=str(uuid4()))
    try:
        validate(resource)
        Path(output).write_bytes(orjson.dumps(resource, option=orjson.OPT_INDENT_2) + b"\n")
    except InvalidResource as exc:
        raise InputFileError(f"These values make no valid Observation: {exc}") from exc
    except OSError as exc:
        raise InputFileError(f"{output} cannot be written ({exc.strerror}): choose another file with -o.") from exc
    self.say(f"FHIR Observation {resource['id']} of {patient} written to {output}")


@app.command(
    option("--count", type=int, default=None, help="How many readings to send [default: 10, of a file all]."),
    option(
        "--rate",
        type=float,
        default=None,
        help="Readings a second, 0 for as fast as possible [default: 1, of a file 0].",
    ),
    option(
        "--file",
        "file",
        default=None,
        help="A file of FHIR resources, Bundles or envelopes, one a line; may be gzipped.",
    ),
    base=Command,
)
async def produce(self: Command, count: int | None, rate: float | None, file: str | None) -> None:
    """Send simulated readings, or those of a file, to the ingest topic."""
    if rate is None:
        rate = 0.0 if file else 1.0
    if count is None and not file:
        count = 10
    if rate < 0 or (count is not None and count < 0):
        raise click.UsageError("--rate and --count must not be negative.", self.ctx)
    await ensure_topics(app, app.wanted_topics)
    with progress_bar(self.quiet) as bar:
        if file:
            path = Path(file)
            task = bar.add_task("Sending", total=path.stat().st_size if path.is_file() else None)
            values = read_resources(path, lambda done: bar.update(task, completed=done))
        else:
            task = bar.add_task("Sending", total=count)
            values = _counting(_simulated_values(), lambda done: bar.update(task, completed=done))
        sent = await _produce(values, count, rate)
    self.say(f"{sent} readings sent to {settings.readings_topic}")


def _counting(values: Iterator[bytes], progress: Any) -> Iterator[bytes]:
    for number, value in enumerate(values, 1):
        yield value
        progress(number)


async def _produce(values: Iterator[bytes], count: int | None, rate: float) -> int:
    """Send values at a rate; return how many Kafka acknowledged, which is all of them, or raise."""
    sent = 0
    pending: set[asyncio.Future[Any]] = set()
    loop = asyncio.get_running_loop()
    async with AIOKafkaProducer(acks="all", enable_idempotence=True, linger_ms=5, **client_settings(app)) as producer:
        started = loop.time()
        while count is None or sent < count:
            value = next(values, None)
            if value is None:
                break
            if rate:
                await asyncio.sleep(started + sent / rate - loop.time())
            pending.add(await producer.send(settings.readings_topic, value))
            sent += 1
            if len(pending) >= 10_000:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for future in done:
                    future.result()
        await asyncio.gather(*pending)
    return sent


class stack(Command):
    """Run a local Kafka and Elasticsearch until Ctrl-C; example: faust -A bp_faust stack --data-dir /tmp/stack."""

    options = [
        option("--kafka-port", type=int, default=9093, help="The port of Kafka; 0 for any free one."),
        option("--elasticsearch-port", type=int, default=9200, help="The port of Elasticsearch; 0 for any free one."),
        option("--data-dir", default="bp_faust-data/stack", help="Where both keep their data."),
        option("--zookeeper", is_flag=True, help="Run Kafka 3.9 with ZooKeeper, as docker-compose.yml does."),
        option("--offline", is_flag=True, help="Download nothing; say what is missing."),
        option("--purge", is_flag=True, help="Delete the data and all that was downloaded, and end."),
    ]

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the stack in the foreground."""
        raise SystemExit(run_told(lambda: self._run(**self.kwargs)))

    def _run(
        self, kafka_port: int, elasticsearch_port: int, data_dir: str, zookeeper: bool, offline: bool, purge: bool
    ) -> None:
        if purge:
            cache = default_cache_dir()
            purge_stack(Path(data_dir), cache)
            self.say(f"Deleted {data_dir} and {cache}")
            return
        running = Stack(
            Path(data_dir),
            kafka_port=kafka_port,
            elasticsearch_port=elasticsearch_port,
            zookeeper=zookeeper,
            offline=offline,
        )
        with ended_by_signals(), running:
            self.say(
                f"Kafka at {running.kafka.bootstrap}, Elasticsearch at {running.elasticsearch.url}; Ctrl-C ends both"
            )
            running.wait()


class demo(Command):
    """Run everything on this machine until Ctrl-C: Kafka, Elasticsearch, and a worker with simulated patients."""

    options = [
        option("--kafka-port", type=int, default=9093, help="The port of Kafka; 0 for any free one."),
        option("--elasticsearch-port", type=int, default=9200, help="The port of Elasticsearch; 0 for any free one."),
        option("--data-dir", default="bp_faust-data", help="Where everything keeps its data."),
    ]

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the demo in the foreground."""
        raise SystemExit(run_told(lambda: self._run(**self.kwargs)))

    def _run(self, kafka_port: int, elasticsearch_port: int, data_dir: str) -> None:
        folder = Path(data_dir)
        running = Stack(folder / "stack", kafka_port=kafka_port, elasticsearch_port=elasticsearch_port)
        self.say("Starting Kafka and Elasticsearch …")
        with ended_by_signals(), running:
            environment = {
                "BP_FAUST_BROKER_URL": f"kafka://{running.kafka.bootstrap}",
                "BP_FAUST_ELASTICSEARCH_URL": running.elasticsearch.url,
                "BP_FAUST_DATADIR": str((folder / "worker").absolute()),
            }
            worker = Worker(folder, app.conf.web_port, environment, settings.secret("web_token"))
            try:
                worker.start()
                self.say(
                    f"Kafka at {running.kafka.bootstrap}, Elasticsearch at {running.elasticsearch.url}\n"
                    f"The page: {worker.url} (simulated patients appear on it; Ctrl-C ends everything)"
                )
                running.wait(worker)
            finally:
                worker.stop()
