"""Ask how long it takes to rebuild a table from its changelog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from benchmarks import changelogs
from benchmarks.broker import Message
from benchmarks.contenders import Contender, Names, plain_faust, this_worker
from benchmarks.contenders.plain_faust import PLAIN_FAUST
from benchmarks.contenders.this_worker import THIS_WORKER
from benchmarks.dataset import Dataset
from benchmarks.measuring import FINISH_SECONDS, Bench
from benchmarks.report import Answer, median, spread

_ENTRIES = 1_000_000
_SHORT_ENTRIES = 20_000

#: Of ten entries of this worker's table, so many are readings; plain Faust's has patients only.
_READINGS_OF_TEN = 9

#: Starts differ by so much from one time to the next.
_RESOLUTION_SECONDS = 0.1

_Entries = Callable[[int], Iterator[tuple[int, Message]]]


def _of_this_worker(entries: int) -> Iterator[tuple[int, Message]]:
    return changelogs.of_this_worker(entries * (10 - _READINGS_OF_TEN) // 10, entries * _READINGS_OF_TEN // 10)


_CASES: tuple[tuple[Contender, Callable[[Names], str], _Entries], ...] = (
    (THIS_WORKER, this_worker.changelog, _of_this_worker),
    (PLAIN_FAUST, plain_faust.changelog, changelogs.of_plain_faust),
)


async def answer(bench: Bench) -> Answer:
    """Time the start on an empty data directory with a full changelog, less the same with an empty one."""
    entries = _SHORT_ENTRIES if bench.short else _ENTRIES

    def rate(times: tuple[float, float]) -> float:
        empty, full = times
        return entries / max(full - empty, _RESOLUTION_SECONDS)

    result = Answer(
        "Rebuild",
        f"A changelog of {entries:,} entries and no local data. Timed from the process's start until it has told of a "
        "first anomaly, which waits for the table; the same with an empty changelog is taken off; less "
        f"than {_RESOLUTION_SECONDS} s of difference counts as that. This worker's "
        f"entries are {_READINGS_OF_TEN} readings and 1 patient of 10, plain Faust's are patients.",
        ["contender", "start with an empty changelog, s", "with the full one, s", "entries/s"],
    )
    rates = []
    for contender, changelog, make_entries in _CASES:
        times: list[tuple[float, float]] = []
        for repeat in range(bench.repeats):
            bench.say(f"rebuild, repeat {repeat + 1}: {contender.title}")
            empty = await _start_seconds(bench, contender, changelog, make_entries, 0)
            times.append((empty, await _start_seconds(bench, contender, changelog, make_entries, entries)))
        result.raw[contender.title] = [{"empty_seconds": empty, "full_seconds": full} for empty, full in times]
        result.rows.append(
            [
                contender.title,
                spread(times, lambda pair: pair[0], 1),
                spread(times, lambda pair: pair[1], 1),
                spread(times, rate),
            ]
        )
        rates.append(median(times, rate))
    result.notes.append(f"This worker rebuilds {rates[0] / rates[1]:.1f} times as fast as plain Faust.")
    return result


async def _start_seconds(
    bench: Bench, contender: Contender, changelog: Callable[[Names], str], make_entries: _Entries, entries: int
) -> float:
    async with bench.run() as run:
        await run.create_topics(contender)
        table = changelog(run.names)
        await run.broker.create_topic(table, changelogs.TOPIC_CONFIG)
        await run.broker.load_partitions(table, make_entries(entries))
        await run.broker.load(run.names.readings, Dataset(100, 100).envelopes())
        started = time.perf_counter()
        with run.start(contender) as process:
            while not await run.broker.has_records(run.names.anomalies):
                process.check()
                if time.perf_counter() - started > FINISH_SECONDS:
                    raise TimeoutError(f"{contender.title} did not rebuild its table in {FINISH_SECONDS:.0f} s.")
                await asyncio.sleep(0.05)
            return time.perf_counter() - started
