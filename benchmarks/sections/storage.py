"""Ask how much disk patients and readings take."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.contenders.this_worker import THIS_WORKER, with_sink
from benchmarks.dataset import Dataset
from benchmarks.index import watched_index
from benchmarks.measuring import FINISH_SECONDS, Bench, warm_up_for
from benchmarks.report import Answer

_WORKER = replace(THIS_WORKER, environment=with_sink)

#: How many readings a patient has, in the two runs.
_FEW, _MANY = 2, 200


@dataclass(frozen=True)
class Storage:
    """Hold what one run left on disk, in bytes."""

    patients: int
    readings: int
    anomalies: int
    #: The worker's data directory.
    tables: int
    #: Elasticsearch's index of anomalies, without a replica.
    index: int


async def answer(bench: Bench) -> Answer:
    """Measure what is on disk when all readings are worked through: many of few patients, and few of many."""
    found = []
    for readings in (_FEW, _MANY):
        bench.say(f"storage: {readings} readings for each patient")
        found.append(await _measure(bench, max(1, bench.records // readings)))
    result = Answer(
        "Storage",
        "What the worker's data directory takes when it is done, RocksDB's own log of the last writes included, and "
        "Elasticsearch's index of anomalies, merged into one segment and without a replica. Once, as sizes hardly "
        "differ. A patient's share is what is left where a reading takes the same in both runs.",
        ["patients", "readings", "tables, MB", "bytes a reading", "documents", "index, MB", "bytes a document"],
    )
    result.raw["storage"] = [asdict(one) for one in found]
    for one in found:
        result.rows.append(
            [
                f"{one.patients:,}",
                f"{one.readings:,}",
                f"{one.tables / 2**20:,.1f}",
                f"{one.tables / one.readings:,.0f}",
                f"{one.anomalies:,}",
                f"{one.index / 2**20:,.1f}",
                f"{one.index / one.anomalies:,.0f}",
            ]
        )
    few, many = found
    patient = (few.tables - many.tables * few.readings / many.readings) / (
        few.patients - many.patients * few.readings / many.readings
    )
    reading = (many.tables - patient * many.patients) / many.readings
    result.notes.append(f"That is {patient:,.0f} bytes for a patient and {reading:,.0f} for each reading that is kept.")
    return result


async def _measure(bench: Bench, patients: int) -> Storage:
    dataset = Dataset(bench.records, patients)
    warm_up = warm_up_for(dataset)
    anomalies = warm_up.anomalies() + dataset.anomalies()
    async with bench.run() as run, watched_index(bench.elasticsearch_url, run.names.index) as index:
        await run.create_topics(_WORKER)
        directory = run.names.directory / "storage"
        with run.start(_WORKER, directory.name) as process:
            await run.warm_up(_WORKER, warm_up, [process])
            await run.broker.load(run.names.readings, dataset.envelopes())
            await run.wait_until_done(_WORKER, [process], FINISH_SECONDS)
            await index.wait_until_written(anomalies, FINISH_SECONDS)
        await index.client.indices.forcemerge(index=index.name, max_num_segments=1)
        await index.client.indices.flush(index=index.name)
        stored = await index.client.indices.stats(index=index.name, metric="store")
        return Storage(
            patients=patients,
            readings=warm_up.records + dataset.records,
            anomalies=anomalies,
            tables=await asyncio.to_thread(_size, directory),
            index=stored["_all"]["primaries"]["store"]["size_in_bytes"],
        )


def _size(directory: Path) -> int:
    """Add up the files of the folders within a directory, in bytes: beside them lies the worker's output."""
    return sum(path.stat().st_size for path in directory.glob("*/**/*") if path.is_file())
