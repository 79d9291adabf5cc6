"""Ask what Elasticsearch costs, beside its library's bulk helper doing nothing else."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from benchmarks.contenders import environment
from benchmarks.contenders.this_worker import THIS_WORKER, with_sink
from benchmarks.dataset import Dataset
from benchmarks.index import Index, watched_index
from benchmarks.measuring import FINISH_SECONDS, Bench, Measurement, warm_up_for
from benchmarks.processes import MeasuredProcess
from benchmarks.report import Answer, median, spread
from benchmarks.sections.throughput import PATIENTS
from bp_faust.event_documents import anomaly_document
from bp_faust.models import Anomaly
from bp_faust.search.sink import document_id
from bp_faust.search.templates import ANOMALY_PROPERTIES, ensure_index

_WORKER = replace(THIS_WORKER, environment=with_sink)


@dataclass(frozen=True)
class BulkMeasurement:
    """Hold what writing the documents alone took."""

    documents: int
    seconds: float
    cpu_seconds: float


async def answer(bench: Bench) -> Answer:
    """Measure the worker with its sink on, and the helper on the same documents."""
    dataset = Dataset(bench.records, PATIENTS)
    documents = bench.directory / "documents.ndjson"
    _write_documents(dataset, documents)
    if not bench.short:
        bench.say("sink: warming Elasticsearch up")
        await _bulk_alone(bench, documents)
    worker: list[Measurement] = []
    sink: list[BulkMeasurement] = []
    alone: list[BulkMeasurement] = []
    for repeat in range(bench.repeats):
        bench.say(f"sink, repeat {repeat + 1}: {_WORKER.title}")
        worker.append(await _with_sink(bench, dataset))
        bench.say(f"sink, repeat {repeat + 1}: {_WORKER.title}, anomalies only")
        sink.append(await _sink_alone(bench, dataset, documents))
        bench.say(f"sink, repeat {repeat + 1}: async_streaming_bulk alone")
        alone.append(await _bulk_alone(bench, documents))
    found = dataset.anomalies()
    result = Answer(
        "Elasticsearch sink",
        f"The whole way from the ingest topic to Elasticsearch, until it has taken in the {found:,} anomalies of "
        f"{bench.records:,} readings; the same anomalies already on the anomalies topic and no readings, so that only "
        "the sink has work; and `elasticsearch.helpers.async_streaming_bulk` (5,000 documents or 5 MB a request) in a "
        "process that has the same documents in memory and does nothing else.",
        ["contender", "documents/s", "records/s", "CPU s for 100,000 documents"],
    )
    result.add_measurements(_WORKER.title, worker)
    result.raw["this worker, from the anomalies topic"] = [asdict(measurement) for measurement in sink]
    result.raw["async_streaming_bulk alone"] = [asdict(measurement) for measurement in alone]
    result.rows += [
        [
            "this worker, from the ingest topic",
            spread(worker, lambda m: found / m.seconds),
            spread(worker, lambda m: m.rate),
            spread(worker, lambda m: m.cpu_seconds / found * 100_000, 2),
        ],
    ]
    for title, measured in (("this worker, from the anomalies topic", sink), ("async_streaming_bulk alone", alone)):
        rate = spread(measured, lambda m: m.documents / m.seconds)
        result.rows.append([title, rate, "", spread(measured, lambda m: m.cpu_seconds / m.documents * 100_000, 2)])
    helper = median(alone, lambda m: m.documents / m.seconds)
    whole = median(worker, lambda m: found / m.seconds) / helper
    only_sink = median(sink, lambda m: m.documents / m.seconds) / helper
    result.notes.append(
        f"Of the helper's documents/s, the worker reaches {whole:.0%} on the whole way, and its sink alone "
        f"{only_sink:.0%}. A worker is one process, whose cores the whole way shares."
    )
    return result


async def _with_sink(bench: Bench, dataset: Dataset) -> Measurement:
    async with bench.run() as run, watched_index(bench.elasticsearch_url, run.names.index) as index:
        await run.create_topics(_WORKER)

        async def until_indexed(anomalies: int) -> None:
            await index.wait_until_written(anomalies, FINISH_SECONDS)

        return await run.measure(_WORKER, dataset, beyond=until_indexed)


async def _sink_alone(bench: Bench, dataset: Dataset, documents: Path) -> BulkMeasurement:
    async with bench.run() as run, watched_index(bench.elasticsearch_url, run.names.index) as index:
        await run.create_topics(_WORKER)
        warm_up = warm_up_for(dataset)
        with run.start(_WORKER, "sink") as process:
            await run.warm_up(_WORKER, warm_up, [process])
            await index.wait_until_written(warm_up.anomalies(), FINISH_SECONDS)
            process.suspend()
            with documents.open("rb") as lines:
                count = await run.broker.load(run.names.anomalies, map(_anomaly, lines))
            return await _let_go(process, index, count, written_before=warm_up.anomalies())


async def _bulk_alone(bench: Bench, documents: Path) -> BulkMeasurement:
    async with bench.run() as run, watched_index(bench.elasticsearch_url, run.names.index) as index:
        await ensure_index(index.client, index.name, ANOMALY_PROPERTIES)
        command = [sys.executable, "-m", "benchmarks.contenders.bulk_alone"]
        count = sum(1 for _ in documents.open("rb"))
        with MeasuredProcess(
            [*command, bench.elasticsearch_url, index.name, str(documents)],
            environment(run.names),
            run.names.directory / "bulk-alone.log",
        ) as process:
            await process.wait_until_suspended()
            return await _let_go(process, index, count)


async def _let_go(process: MeasuredProcess, index: Index, count: int, *, written_before: int = 0) -> BulkMeasurement:
    """Let a suspended process go on, and time it until Elasticsearch has taken in so many more documents."""
    before = process.usage().cpu
    started = time.perf_counter()
    process.resume()
    await index.wait_until_written(written_before + count, FINISH_SECONDS)
    seconds = time.perf_counter() - started
    return BulkMeasurement(count, seconds, process.usage().cpu - before)


def _anomaly(document: bytes) -> bytes:
    fields = orjson.loads(document)
    del fields["_id"]
    return orjson.dumps(fields)


def _write_documents(dataset: Dataset, path: Path) -> None:
    with path.open("wb") as file:
        for reading in dataset.readings():
            if reading.anomaly_type is None:
                continue
            anomaly = Anomaly(
                reading.patient,
                reading.observation,
                float(reading.systolic),
                float(reading.diastolic),
                reading.anomaly_type,
                reading.time,
            )
            document = {
                "_id": document_id(reading.patient, reading.observation),
                **orjson.loads(anomaly_document(anomaly)),
            }
            file.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
