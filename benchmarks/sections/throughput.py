"""Ask how many records a second, and for how much CPU, beside others that do the same job."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.contenders import Contender
from benchmarks.contenders.plain_faust import PLAIN_FAUST
from benchmarks.contenders.quix_streams import QUIX_STREAMS
from benchmarks.contenders.raw_aiokafka import RAW_AIOKAFKA
from benchmarks.contenders.this_worker import THIS_WORKER
from benchmarks.dataset import Dataset
from benchmarks.measuring import Bench, Measurement
from benchmarks.report import Answer, median, spread

CONTENDERS = (THIS_WORKER, PLAIN_FAUST, QUIX_STREAMS, RAW_AIOKAFKA)

PATIENTS = 1_000


async def answer(bench: Bench) -> Answer:
    """Measure all contenders, in turn in each repeat, so that a busy moment of the machine meets them all."""
    found: dict[str, list[Measurement]] = {contender.title: [] for contender in CONTENDERS}
    for repeat in range(bench.repeats):
        for contender in CONTENDERS:
            dataset = dataset_for(bench, contender)
            bench.say(f"throughput, repeat {repeat + 1}: {contender.title}, {dataset.records:,} records")
            found[contender.title].append(await bench.measure(contender, dataset))
    result = Answer(
        "Throughput",
        "From the ingest topic to state and anomalies topic, one process, no Elasticsearch (this worker's index agent "
        "waits for one that is away). A slow contender gets the first so many records only; rates are of what it got.",
        ["contender", "records", "records/s", "CPU s for 100,000", "records per CPU s", "guarantee", "what it does"],
    )
    for contender in CONTENDERS:
        measured = found[contender.title]
        result.add_measurements(contender.title, measured)
        result.rows.append(
            [
                contender.title,
                f"{measured[0].records:,}",
                spread(measured, lambda m: m.rate),
                spread(measured, lambda m: m.cpu_per_100_000, 2),
                spread(measured, lambda m: m.records / m.cpu_seconds),
                contender.guarantee,
                contender.job,
            ]
        )
    ours = found[THIS_WORKER.title]
    for other in CONTENDERS[1:]:
        rate = median(ours, lambda m: m.rate) / median(found[other.title], lambda m: m.rate)
        cpu = median(found[other.title], lambda m: m.cpu_per_100_000) / median(ours, lambda m: m.cpu_per_100_000)
        result.notes.append(
            f"This worker has {rate:.2f} times the records/s of {other.title}, and {cpu:.2f} times its records per CPU "
            "second."
        )
    return result


def dataset_for(bench: Bench, contender: Contender) -> Dataset:
    """Return the data that a contender gets: all of it, or its beginning."""
    dataset = Dataset(bench.records, PATIENTS)
    limit = contender.at_most
    if limit is None:
        return dataset
    return replace(dataset, records=min(dataset.records, limit // 5 if bench.short else limit))
