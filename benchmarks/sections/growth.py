"""Ask what more patients cost, in time and in memory."""

from __future__ import annotations

from benchmarks import changelogs
from benchmarks.contenders.this_worker import THIS_WORKER, changelog
from benchmarks.dataset import Dataset
from benchmarks.measuring import Bench, Measurement
from benchmarks.report import Answer, median, spread

_PATIENTS = (10, 1_000, 100_000, 1_000_000)
_SHORT_PATIENTS = (10, 1_000, 10_000)


async def answer(bench: Bench) -> Answer:
    """Measure this worker with a table that already holds all patients."""
    counts = _SHORT_PATIENTS if bench.short else _PATIENTS
    found: dict[int, list[Measurement]] = {patients: [] for patients in counts}
    for repeat in range(bench.repeats):
        for patients in counts:
            bench.say(f"growth, repeat {repeat + 1}: {patients:,} patients")
            found[patients].append(await _measure(bench, patients))
    result = Answer(
        "Growth",
        "This worker, whose table holds every patient and one earlier reading of each before it begins (rebuilt from a "
        "changelog that the benchmark wrote), on readings drawn evenly from all patients.",
        ["patients", "table entries before", "records/s", "CPU s for 100,000", "resident MB"],
    )
    for patients, measured in found.items():
        result.add_measurements(f"{patients} patients", measured)
        result.rows.append(
            [
                f"{patients:,}",
                f"{2 * patients:,}",
                spread(measured, lambda m: m.rate),
                spread(measured, lambda m: m.cpu_per_100_000, 2),
                spread(measured, lambda m: m.resident / 2**20),
            ]
        )
    most = counts[-1]
    change = median(found[most], lambda m: m.rate) / median(found[1_000], lambda m: m.rate) - 1
    result.notes.append(f"From 1,000 to {most:,} patients the records/s change by {change:+.0%}.")
    return result


async def _measure(bench: Bench, patients: int) -> Measurement:
    async with bench.run() as run:
        await run.create_topics(THIS_WORKER)
        table = changelog(run.names)
        await run.broker.create_topic(table, changelogs.TOPIC_CONFIG)
        await run.broker.load_partitions(table, changelogs.of_this_worker(patients, patients))
        return await run.measure(THIS_WORKER, Dataset(bench.records, patients))
