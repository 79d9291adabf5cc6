"""However much has piled up: a worker takes it, and rebuilds its tables from it, in bounded memory."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from benchmarks.broker import Broker
from benchmarks.dataset import Dataset
from tests.chaos.figures import Figures
from tests.chaos.memory import MB, MemoryWatch
from tests.chaos.truth import assert_counted, assert_indexed
from tests.kafka_client import uncommitted
from tests.pipeline import wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, wait_for

CASE = "8 bounded"
READINGS = 1_000_000
SHORT_READINGS = 20_000
PATIENTS = 10_000

#: What a worker may have, and how long it may take for the backlog and for rebuilding its tables; in MB and seconds.
RESIDENT_MB = 600
DRAINED_SECONDS = 1800.0
REBUILT_SECONDS = 900.0

#: How often memory is looked at, and how often is said how far it is; in seconds.
LOOK_SECONDS = 0.2
SAY_SECONDS = 30.0


class Look(NamedTuple):
    """Hold one look at a worker that recovers: whether it said that it is ready, and what /livez said after that."""

    ready: bool
    #: None where it did not answer.
    entries_left: int | None
    seconds: float


async def test_a_backlog_is_taken_and_rebuilt_in_bounded_memory(
    settings: WorkerSettings, start_worker: Callable[..., WorkerProcess], full: bool, seed: int, figures: Figures
) -> None:
    dataset = Dataset(READINGS if full else SHORT_READINGS, PATIENTS, seed)
    await _load(settings, dataset)
    figures.say(f"{dataset.records:,} readings lie on the topic")

    worker = start_worker(wait=False)
    with MemoryWatch(worker.process.pid, LOOK_SECONDS) as memory:
        await asyncio.to_thread(worker.wait_until_ready)
        async with _told(settings, memory, figures):
            await wait_until_drained(settings, DRAINED_SECONDS)
    _add(figures, f"resident memory with a backlog of {dataset.records:,} readings", memory)
    await assert_counted(worker, dataset)
    await assert_indexed(settings, dataset)

    assert worker.stop() == 0
    before = worker.log.read_text()
    shutil.rmtree(worker.data_dir)
    worker.start()
    with MemoryWatch(worker.process.pid, LOOK_SECONDS) as memory:
        looks = await asyncio.to_thread(_watch_recovery, worker)
    _add(figures, "resident memory while the tables are rebuilt from it", memory)
    answered = [look for look in looks if look.entries_left is not None]
    left = [look.entries_left or 0 for look in answered]
    figures.add(
        CASE,
        f"/livez answers while the tables of {dataset.records:,} readings are rebuilt",
        "every time, with progress",
        f"{len(answered)} of {len(looks)}, the slowest after {max(look.seconds for look in looks):.2f} s, "
        f"entries left from {max(left):,} to {left[-1]:,}",
        reached=len(answered) == len(looks) and max(left) > 0,
    )
    assert len(answered) == len(looks)
    assert not [look for look in looks if look.ready and look.entries_left]
    # The watchdog must not miss what recovery holds up: it would end a worker whose tables take over a minute.
    assert "no sign of reading" not in worker.log.read_text().removeprefix(before)
    falling = left[left.index(max(left)) :]
    assert falling == sorted(falling, reverse=True)
    await assert_counted(worker, dataset)


async def _load(settings: WorkerSettings, dataset: Dataset) -> None:
    broker = Broker(settings.kafka)
    await broker.start()
    try:
        await broker.create_topic(settings.readings_topic)
        await broker.load(settings.readings_topic, dataset.envelopes())
    finally:
        await broker.stop()


@asynccontextmanager
async def _told(settings: WorkerSettings, memory: MemoryWatch, figures: Figures) -> AsyncIterator[None]:
    """Say now and then how far the installation is."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(SAY_SECONDS)
            topic = settings.readings_topic
            behind = (await uncommitted(settings.kafka, settings.app_id, [topic]))[topic]
            figures.say(f"{behind:,} readings to go, {memory.samples[-1].resident / MB:.0f} MB resident")

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling


def _add(figures: Figures, figure: str, memory: MemoryWatch) -> None:
    peak = memory.peak / MB
    figures.add(CASE, figure, f"under {RESIDENT_MB} MB", f"{peak:.0f} MB at most", reached=peak < RESIDENT_MB)


def _watch_recovery(worker: WorkerProcess) -> list[Look]:
    """Look at a worker from when its web server is there until it is ready."""
    wait_for(lambda: worker.status("/livez"), 60, "the web server", every=0.02)
    looks: list[Look] = []
    deadline = time.monotonic() + REBUILT_SECONDS
    while not (looks and looks[-1].ready):
        assert worker.process.poll() is None, worker.log_tail()
        assert time.monotonic() < deadline, f"Not ready: {looks[-1]}\n{worker.log_tail()}"
        ready = worker.status("/readyz") == 200
        began = time.monotonic()
        try:
            entries_left = int(worker.get("/livez")["entries_to_recover"])
        except OSError:
            entries_left = None
        looks.append(Look(ready, entries_left, time.monotonic() - began))
        time.sleep(0.05)
    return looks
