"""Ask what a second worker brings."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.contenders.this_worker import THIS_WORKER, without_standbys
from benchmarks.dataset import Dataset
from benchmarks.measuring import Bench, Measurement
from benchmarks.report import Answer, median, spread
from benchmarks.sections.throughput import PATIENTS

_ALONE = replace(THIS_WORKER, environment=without_standbys)

_CASES = (
    ("1 worker", _ALONE, 1),
    ("2 workers", _ALONE, 2),
    ("2 workers, each with a standby copy of the other's table", THIS_WORKER, 2),
)


async def answer(bench: Bench) -> Answer:
    """Measure one worker and two, without and with standby copies."""
    dataset = Dataset(bench.records, PATIENTS)
    found: dict[str, list[Measurement]] = {title: [] for title, _, _ in _CASES}
    for repeat in range(bench.repeats):
        for title, contender, workers in _CASES:
            bench.say(f"scaling, repeat {repeat + 1}: {title}")
            found[title].append(await bench.measure(contender, dataset, workers=workers))
    result = Answer(
        "Scaling",
        "The same data for one and for two processes of this worker. Kafka runs on the same cores: only where cores "
        "are free can a second worker bring its full share.",
        ["workers", "records/s", "CPU s for 100,000", "cores used", "resident MB"],
    )
    for title, measured in found.items():
        result.add_measurements(title, measured)
        result.rows.append(
            [
                title,
                spread(measured, lambda m: m.rate),
                spread(measured, lambda m: m.cpu_per_100_000, 2),
                spread(measured, lambda m: m.cpu_seconds / m.seconds, 2),
                spread(measured, lambda m: m.resident / 2**20),
            ]
        )
    one = median(found[_CASES[0][0]], lambda m: m.rate)
    for title, _, _ in _CASES[1:]:
        result.notes.append(f"{title}: {median(found[title], lambda m: m.rate) / one:.2f} times one worker.")
    return result
