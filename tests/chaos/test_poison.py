"""A tenth of the input is bad in twelve ways: it is put aside with its reason, and holds nothing up."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tests import oracle
from tests.chaos.figures import Figures
from tests.chaos.poison import MOST_BYTES, WAYS, Record, records_of
from tests.chaos.watching import Watch
from tests.kafka_client import create_topic, produce, read_all
from tests.pipeline import table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

CASE = "5 poison"

RECORDS, RECORDS_IN_FULL = 5_000, 200_000
PATIENTS = 500
PARTITIONS = 4
BAD = 0.1

#: How often each of the two is measured, and what is asked of the poisoned one.
REPEATS, REPEATS_IN_FULL = 1, 3
LEAST_SHARE = 0.7

#: How long an installation may take for its records, in seconds.
DRAINED_SECONDS = 600.0


class Input:
    """Yield the same records each time, so that they need not be held."""

    def __init__(self, count: int, bad: float, seed: int) -> None:
        self._count = count
        self._bad = bad
        self._seed = seed

    def __iter__(self) -> Iterator[Record]:
        """Yield the records in the order in which they are sent."""
        envelopes = islice(oracle.endless_envelopes(PATIENTS, self._seed), self._count)
        return records_of(envelopes, self._bad, self._seed)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return what is to be counted."""
        return oracle.counts(record.envelope for record in self if record.reason is None)


async def test_poison_is_put_aside_with_its_reason_and_holds_nothing_up(
    kafka: str, elasticsearch_url: str, tmp_path: Path, full: bool, seed: int, figures: Figures
) -> None:
    count, repeats = (RECORDS_IN_FULL, REPEATS_IN_FULL) if full else (RECORDS, REPEATS)
    rates: dict[str, list[float]] = {"clean": [], "poisoned": []}
    put_aside, always_ready = 0, True
    for number in range(repeats):
        for kind, bad in (("clean", 0.0), ("poisoned", BAD)):
            directory = tmp_path / f"{kind}-{number}"
            directory.mkdir()
            settings = WorkerSettings.unique(kafka, elasticsearch_url, directory)
            records = Input(count, bad, seed + number)
            await create_topic(kafka, settings.readings_topic, PARTITIONS)
            places = await produce(kafka, settings.readings_topic, (record.value for record in records))
            worker = WorkerProcess(settings, kind, {"BP_FAUST_RECORD_MAX_BYTES": str(MOST_BYTES)})
            try:
                async with Watch(worker, counting=False) as watch:
                    seconds = await _seconds_of_work(worker, watch)
                    await wait_until_drained(settings, DRAINED_SECONDS)
                put_aside += await _check(worker, records, places)
            finally:
                await asyncio.to_thread(worker.end)
            rates[kind].append(count / seconds)
            always_ready &= watch.always_ready
            figures.say(f"{kind}: {count:,} records in {seconds:.1f} s, {count / seconds:,.0f}/s")

    figures.add(
        CASE,
        f"records bad in {len(WAYS)} ways on the dead-letter topic, once, unchanged, with place and reason",
        "all",
        f"all {put_aside:,}",
        reached=True,
    )
    figures.add(CASE, "counts of the good ones", "the oracle's", "the oracle's", reached=True)
    figures.add(
        CASE,
        "the worker meanwhile",
        "never restarted, always ready",
        f"never restarted, {'always ready' if always_ready else 'not always ready'}",
        reached=always_ready,
    )
    if not full:  # a second's work measures mostly how it begins
        return
    clean, poisoned = (statistics.median(rates[kind]) for kind in ("clean", "poisoned"))
    # Of what was measured one after the other, as the machine may be slower at one time than at another.
    pairs = zip(rates["poisoned"], rates["clean"], strict=True)
    share = statistics.median(of_poisoned / of_clean for of_poisoned, of_clean in pairs)
    figures.add(
        CASE,
        "throughput with a tenth of the records bad",
        f"at least {LEAST_SHARE:.0%} of clean",
        f"{share:.0%}, the median of {repeats} pairs; {poisoned:,.0f} beside {clean:,.0f} records/s, the medians",
        reached=share >= LEAST_SHARE,
    )


async def _seconds_of_work(worker: WorkerProcess, watch: Watch) -> float:
    """Return how long a worker took, from ready, until intake and monitor have committed all there is."""
    settings = worker.settings
    await asyncio.wait_for(watch.ready.wait(), DRAINED_SECONDS)
    started = time.monotonic()
    await wait_until_drained(settings, DRAINED_SECONDS, [settings.readings_topic, f"{settings.app_id}-readings"])
    return time.monotonic() - started


async def _check(worker: WorkerProcess, records: Input, places: list[tuple[int, int]]) -> int:
    """Compare what became of the records with what must have; return how many were to be put aside."""
    settings = worker.settings
    assert worker.process.poll() is None, worker.log_tail()
    assert "[critical" not in worker.log.read_text()
    expected = {
        place: (record.reason, record.value)
        for place, record in zip(places, records, strict=True)
        if record.reason is not None
    }
    letters = {}
    for letter in await read_all(settings.kafka, settings.dead_letters_topic):
        headers = dict(letter.headers)
        assert headers["bp_faust.topic"] == settings.readings_topic.encode()
        place = int(headers["bp_faust.partition"]), int(headers["bp_faust.offset"])
        assert place not in letters
        letters[place] = (headers["bp_faust.reason"].decode(), letter.value)
    assert letters == expected
    reasons = Counter(reason for reason, _ in expected.values())
    assert not expected or reasons.keys() == WAYS.keys()
    assert worker.get("/refusals/")["refusals"] == reasons
    assert await asyncio.to_thread(table_counts, worker) == await asyncio.to_thread(records.counts)
    return len(expected)
