"""A disk that fills up ends the worker, which says so; with room again it has everything, once."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import oracle
from tests.chaos.figures import Figures
from tests.chaos.small_disk import NoDiskError, SmallDisk
from tests.kafka_client import produce
from tests.pipeline import anomaly_types, table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, wait_for

CASE = "8 bounded"
DISK_MB = 64
PATIENTS = 500
READINGS_A_ROUND = 5_000

#: What the worker says, where it can.
SAID = "StateError: The disk of the data directory"

#: How soon a worker must say that it is not ready, in seconds.
NOTICED_SECONDS = 10.0

#: How long a test waits for it and for the process's end, in seconds.
LONGEST_SECONDS = 60.0


def _leave(data: Path) -> None:
    """Leave the local data as they are."""


def _cut_off_tables(data: Path) -> None:
    for path in data.rglob("*.sst"):
        os.truncate(path, path.stat().st_size // 2)


def _empty_manifests(data: Path) -> None:
    for path in data.rglob("MANIFEST-*"):
        os.truncate(path, 0)


class Round(NamedTuple):
    """Say whether the worker's log lies on the disk too, and what has become of its data when there is room again."""

    name: str
    log_on_disk: bool
    aftermath: Callable[[Path], None]


ROUNDS = [
    Round("while it works", False, _leave),
    Round("with its log", True, _leave),
    Round("tables cut off", False, _cut_off_tables),
    Round("manifests empty", True, _empty_manifests),
    Round("data deleted", False, shutil.rmtree),
]


class Outcome(NamedTuple):
    """Hold after how many seconds a worker was not ready, and had ended; its exit status, and that on a full disk."""

    noticed: float
    ended: float
    status: int
    status_at_start: int


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Give a small disk."""
    try:
        disk = SmallDisk(tmp_path / "disk", DISK_MB)
    except NoDiskError as exc:
        pytest.skip(f"a disk cannot be filled up: {exc}")
    yield disk
    disk.unmount()


async def test_a_full_disk_ends_the_worker_and_nothing_is_lost_or_doubled(
    settings: WorkerSettings,
    disk: SmallDisk,
    start_worker: Callable[..., WorkerProcess],
    full: bool,
    seed: int,
    figures: Figures,
) -> None:
    rounds = ROUNDS if full else ROUNDS[2:3]
    envelopes = oracle.random_envelopes(len(rounds) * READINGS_A_ROUND, PATIENTS, seed)
    data = disk.path / "data"
    worker = start_worker(BP_FAUST_DATADIR=str(data))
    usual_log = worker.log
    outcomes = []
    for number, one in enumerate(rounds):
        if one.log_on_disk:
            assert worker.stop() == 0
            worker.log = disk.path / "worker.log"
            worker.start()
            await asyncio.to_thread(worker.wait_until_ready)
        sent, half = number * READINGS_A_ROUND, READINGS_A_ROUND // 2
        await produce(settings.kafka, settings.readings_topic, envelopes[sent : sent + half])
        filled = asyncio.create_task(asyncio.to_thread(_fill, worker, disk))
        await produce(settings.kafka, settings.readings_topic, envelopes[sent + half : sent + READINGS_A_ROUND])
        outcomes.append(await filled)
        figures.say(f"full disk, {one.name}: {outcomes[-1]}")
        disk.make_room()
        worker.log = usual_log
        one.aftermath(data)
        worker.start()
        await asyncio.to_thread(worker.wait_until_ready)
        await wait_until_drained(settings)
        truth = oracle.counts(envelopes[: sent + READINGS_A_ROUND])
        assert await asyncio.to_thread(table_counts, worker) == truth
    assert await anomaly_types(settings) == oracle.documents(envelopes)
    _add(figures, outcomes)
    assert not [outcome for outcome in outcomes if not outcome.status or not outcome.status_at_start]


def _add(figures: Figures, outcomes: list[Outcome]) -> None:
    count = len(outcomes)
    noticed = sum(outcome.noticed <= NOTICED_SECONDS for outcome in outcomes)
    figures.add(
        CASE,
        f"full disk: /readyz 503 within {NOTICED_SECONDS:.0f} s",
        f"{count} of {count}",
        f"{noticed} of {count}, the slowest after {max(outcome.noticed for outcome in outcomes):.1f} s",
        reached=noticed == count,
    )
    ended = sum(outcome.status != 0 for outcome in outcomes)
    figures.add(
        CASE,
        "full disk: process ended by itself with a non-zero status",
        f"{count} of {count}",
        f"{ended} of {count}, the slowest after {max(outcome.ended for outcome in outcomes):.1f} s",
        reached=ended == count,
    )
    refused = sum(outcome.status_at_start != 0 for outcome in outcomes)
    figures.add(
        CASE,
        "full disk: started on it, the worker never becomes ready and ends with a non-zero status",
        f"{count} of {count}",
        f"{refused} of {count}",
        reached=refused == count,
    )
    figures.add(
        CASE,
        "full disk: full rebuild once there is room, damaged local data included",
        f"{count} of {count}",
        f"{count} of {count}",
        reached=True,
    )


def _fill(worker: WorkerProcess, disk: SmallDisk) -> Outcome:
    """Fill the disk under a worker; start it once more on the full disk."""
    on_disk = worker.log.is_relative_to(disk.path)
    before = worker.log.read_text()
    disk.fill()
    began = time.monotonic()
    wait_for(lambda: worker.status("/readyz") != 200, LONGEST_SECONDS, "the worker to notice that the disk is full")
    noticed = time.monotonic() - began
    status = _wait_for_end(worker)
    ended = time.monotonic() - began
    at_work = worker.log.read_text()
    worker.start()
    status_at_start = _wait_for_end(worker)
    if not on_disk:
        assert at_work.removeprefix(before).count(f"[critical ] The worker stops: {SAID}") == 1
        assert SAID.partition(": ")[2] in worker.log.read_text().removeprefix(at_work)
    return Outcome(noticed, ended, status, status_at_start)


def _wait_for_end(worker: WorkerProcess) -> int:
    def has_ended() -> bool:
        assert worker.status("/readyz") != 200
        return worker.process.poll() is not None

    wait_for(has_ended, LONGEST_SECONDS, "the process to end")
    return worker.process.returncode
