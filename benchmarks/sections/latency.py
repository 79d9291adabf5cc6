"""Ask how soon a reading is seen: on the anomalies topic, in the web view, in Elasticsearch."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.contenders import Names
from benchmarks.contenders.this_worker import THIS_WORKER, free_port, with_sink
from benchmarks.dataset import PARTITIONS, WARM_UP_SEED, Dataset, Reading
from benchmarks.index import Index, watched_index
from benchmarks.measuring import WARM_UP_RECORDS, Bench, Run
from benchmarks.report import Answer
from benchmarks.sections.throughput import PATIENTS
from bp_faust.search.sink import document_id

_RATES = (100, 1_000, 5_000)
_SHORT_RATES = (1_000,)
_SECONDS = 20.0
_SHORT_SECONDS = 4.0

#: How many readings a second are of a patient of their own, whom the web view and Elasticsearch are asked for.
_PROBES_PER_SECOND = 20

#: How often readings are handed to the producer, and how often a probe is asked for, in seconds.
_TICK_SECONDS = 0.005
_ASK_SECONDS = 0.02

#: How long the last readings may take to be seen, in seconds.
_DRAIN_SECONDS = 30.0

_PLACES = ("anomalies topic", "web view", "Elasticsearch")


@dataclass
class _Sightings:
    """Hold when readings were sent, and how many seconds later they were seen in each place."""

    sent: dict[str, float] = field(default_factory=dict)
    seen: dict[str, dict[str, float]] = field(default_factory=lambda: {place: {} for place in _PLACES})

    def see(self, place: str, observation: str) -> None:
        sent = self.sent.get(observation)
        if sent is not None:
            self.seen[place].setdefault(observation, time.perf_counter() - sent)


async def answer(bench: Bench) -> Answer:
    """Measure at each rate, once: the many readings of one run are the repeats."""
    seconds = _SHORT_SECONDS if bench.short else _SECONDS
    result = Answer(
        "Latency",
        f"One worker with its sink on, {seconds:.0f} s at each rate; milliseconds from handing a reading to a producer "
        "(aiokafka, no linger, in this program) until a read-committed consumer has its anomaly; until "
        "`/patients/{id}/` shows it; and until a real-time GET finds its document in Elasticsearch, which is within "
        f"the request that acknowledges it. The last two are asked every {_ASK_SECONDS * 1000:.0f} ms for "
        f"{_PROBES_PER_SECOND} readings a second that are the first of their patients.",
        ["readings/s sent", *(f"{place}, {value}" for place in _PLACES for value in ("p50", "p99", "readings"))],
    )
    for rate in _SHORT_RATES if bench.short else _RATES:
        bench.say(f"latency: {rate:,} readings/s")
        sightings, sent_rate = await _measure(bench, rate, seconds)
        row = [f"{sent_rate:,.0f}"]
        for place in _PLACES:
            values = sorted(value * 1000 for value in sightings.seen[place].values())
            p50, p99 = _percentiles(values)
            row += [f"{p50:,.0f} ms", f"{p99:,.0f} ms", f"{len(values):,}"]
            result.raw.setdefault(f"{rate} per second", {})[place] = {"p50": p50, "p99": p99, "readings": len(values)}
        result.rows.append(row)
    return result


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]


async def _measure(bench: Bench, rate: int, seconds: float) -> tuple[_Sightings, float]:
    port = free_port()
    worker = replace(THIS_WORKER, environment=lambda names: _environment(names, port))
    readings = list(_readings(rate, seconds))
    expected = {reading.observation for reading in readings if reading.anomaly_type is not None}
    sightings = _Sightings()
    async with bench.run() as run, watched_index(bench.elasticsearch_url, run.names.index) as index:
        await run.create_topics(worker)
        with run.start(worker) as process:
            warm_up = Dataset(WARM_UP_RECORDS, PATIENTS, WARM_UP_SEED)
            await run.warm_up(worker, warm_up, [process])
            await index.wait_until_written(warm_up.anomalies(), _DRAIN_SECONDS)
            probes: asyncio.Queue[Reading] = asyncio.Queue()
            async with _watching(
                _watch_topic(run, sightings),
                _watch_probes(probes, f"http://127.0.0.1:{port}", index, sightings),
            ):
                started = time.perf_counter()
                await _send(run, readings, rate, sightings, probes)
                took = time.perf_counter() - started
                asked = {reading.observation for reading in readings if _is_probe(reading)}
                await _drain(sightings, expected, asked)
    return sightings, len(readings) / took


def _environment(names: Names, port: int) -> dict[str, str]:
    return {**with_sink(names), "BP_FAUST_WEB_PORT": str(port)}


def _readings(rate: int, seconds: float) -> list[Reading]:
    """Return a dataset in which every so manieth reading is an anomaly of a patient of its own."""
    every = max(1, rate // _PROBES_PER_SECOND)
    return [
        replace(reading, patient=f"probe-{number}", systolic=170) if number % every == 0 else reading
        for number, reading in enumerate(Dataset(int(rate * seconds), PATIENTS).readings())
    ]


def _is_probe(reading: Reading) -> bool:
    return reading.patient.startswith("probe-")


async def _send(
    run: Run, readings: Sequence[Reading], rate: int, sightings: _Sightings, probes: asyncio.Queue[Reading]
) -> None:
    envelopes = [reading.envelope for reading in readings]
    async with AIOKafkaProducer(bootstrap_servers=run.names.kafka, acks="all") as producer:
        started, position = time.perf_counter(), 0
        while position < len(readings):
            due = min(len(readings), int((time.perf_counter() - started) * rate) + 1)
            for number in range(position, due):
                reading = readings[number]
                sightings.sent[reading.observation] = time.perf_counter()
                await producer.send(run.names.readings, envelopes[number], partition=number % PARTITIONS)
                if _is_probe(reading):
                    probes.put_nowait(reading)
            position = due
            await asyncio.sleep(_TICK_SECONDS)


async def _drain(sightings: _Sightings, expected: set[str], asked: set[str]) -> None:
    """Wait until all anomalies were seen on the topic, and all probes everywhere."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    wanted = {place: expected if place == _PLACES[0] else asked for place in _PLACES}
    while missing := {place: len(wanted[place] - sightings.seen[place].keys()) for place in _PLACES}:
        if not any(missing.values()):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not seen {_DRAIN_SECONDS:.0f} s after the last reading was sent: {missing}")
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def _watching(*watchers: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(watcher) for watcher in watchers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        # Who stopped watching is why something was not seen.
        for reason in ended:
            if isinstance(reason, Exception):
                raise reason


async def _watch_topic(run: Run, sightings: _Sightings) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=run.names.kafka, isolation_level="read_committed")
    partitions = [TopicPartition(run.names.anomalies, number) for number in range(PARTITIONS)]
    async with consumer:
        consumer.assign(partitions)
        for tp, end in (await consumer.end_offsets(partitions)).items():
            consumer.seek(tp, end)
        async for record in consumer:
            sightings.see(_PLACES[0], orjson.loads(record.value)["observation_id"])


async def _watch_probes(probes: asyncio.Queue[Reading], worker: str, index: Index, sightings: _Sightings) -> None:
    """Ask the web view and Elasticsearch for all probes that they have not shown yet."""
    web: list[Reading] = []
    search: dict[str, Reading] = {}
    async with aiohttp.ClientSession() as session:
        while True:
            while not probes.empty():
                probe = probes.get_nowait()
                web.append(probe)
                search[document_id(probe.patient, probe.observation)] = probe
            if search:
                await _ask_elasticsearch(search, index, sightings)
            shown = await asyncio.gather(*(_ask_worker(probe, worker, session) for probe in web))
            for probe, is_shown in zip(web, shown, strict=True):
                if is_shown:
                    sightings.see(_PLACES[1], probe.observation)
            web = [probe for probe, is_shown in zip(web, shown, strict=True) if not is_shown]
            await asyncio.sleep(_ASK_SECONDS)


async def _ask_elasticsearch(search: dict[str, Reading], index: Index, sightings: _Sightings) -> None:
    answer = await index.client.mget(index=index.name, ids=list(search), source=False)
    for document in answer["docs"]:
        if document.get("found"):
            sightings.see(_PLACES[2], search.pop(document["_id"]).observation)


async def _ask_worker(probe: Reading, worker: str, session: aiohttp.ClientSession) -> bool:
    async with session.get(f"{worker}/patients/{probe.patient}/") as response:
        return response.status == 200
