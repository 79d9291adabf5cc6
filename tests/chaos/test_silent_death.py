"""Whatever ends or stalls in a worker without a word: it is noticed, and the process ends for a supervisor to see."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import NamedTuple

from tests.chaos.figures import Figures
from tests.worker_process import WorkerProcess, WorkerSettings, wait_for

#: How soon a worker must say that it is not ready, and how soon its process must have ended, in seconds.
NOTICED_SECONDS = 10.0
ENDED_SECONDS = 90.0

#: How long a worker may take to become ready, in seconds: the broker has the topics of all of them to lead.
READY_SECONDS = 240.0

#: How many workers are wounded side by side.
SIDE_BY_SIDE = 8

REPEATS = 2

#: Listed here, as to import them would need a worker's environment; the worker refuses a name that it does not know.
WOUNDS = [
    "agent intake ended",
    "agent monitor ended",
    "agent index ended",
    "agent count_refusals ended",
    "agent apply_settings ended",
    "agent index_alerts ended",
    "agent index_refusals ended",
    "work on partitions ended",
    "transactions stall",
    "transactional senders ended",
    "the sink stalls",
    "a timer ended",
    "a timer's work stalls",
    "the fetcher ended",
    "the fetcher stalls",
    "the flow stopped",
    "offsets are committed no more",
    "the look at the lag ended",
    "the event loop is blocked",
    "the interpreter is blocked",
    "the heart stopped",
    "the watchdog ended",
    "the consumer's thread ended",
    "the consumer's thread is blocked",
    "the Kafka consumer's fetcher ended",
    "the Kafka consumer's coordination ended",
    "the Kafka consumer's heartbeat ended",
]
SHORT = ["agent intake ended", "transactions stall", "the Kafka consumer's fetcher ended", "the event loop is blocked"]


class Outcome(NamedTuple):
    """Hold after how many seconds a worker was not ready, and had ended; and its exit status."""

    wound: str
    noticed: float
    ended: float
    status: int


async def test_no_part_of_a_worker_dies_silently(
    kafka: str, elasticsearch_url: str, tmp_path: Path, full: bool, figures: Figures
) -> None:
    wounds = WOUNDS * REPEATS if full else SHORT
    slots = asyncio.Semaphore(SIDE_BY_SIDE)

    undetected = []

    async def one(number: int, wound: str) -> Outcome | None:
        async with slots:
            directory = tmp_path / str(number)
            directory.mkdir()
            settings = WorkerSettings.unique(kafka, elasticsearch_url, directory)
            try:
                outcome = await asyncio.to_thread(_wound, settings, wound)
            except AssertionError as exc:
                # One that fails must not hide what the others show.
                figures.say(f"{wound}: {str(exc).splitlines()[0]}")
                undetected.append(str(exc))
                return None
            figures.say(f"{wound}: not ready after {outcome.noticed:.1f} s, ended after {outcome.ended:.1f} s")
            return outcome

    found = await asyncio.gather(*(one(number, wound) for number, wound in enumerate(wounds)))
    outcomes = [outcome for outcome in found if outcome is not None]
    assert outcomes, undetected[0]
    noticed = sum(outcome.noticed <= NOTICED_SECONDS for outcome in outcomes)
    ended = sum(outcome.ended <= ENDED_SECONDS and outcome.status != 0 for outcome in outcomes)
    figures.add(
        "6 silent death",
        f"/readyz 503 within {NOTICED_SECONDS:.0f} s",
        f"{len(wounds)} of {len(wounds)}",
        f"{noticed} of {len(wounds)}, the slowest after {max(outcome.noticed for outcome in outcomes):.1f} s",
        reached=noticed == len(wounds),
    )
    figures.add(
        "6 silent death",
        f"process ended with a non-zero status within {ENDED_SECONDS:.0f} s",
        f"{len(wounds)} of {len(wounds)}",
        f"{ended} of {len(wounds)}, the slowest after {max(outcome.ended for outcome in outcomes):.1f} s",
        reached=ended == len(wounds),
    )
    assert not undetected, "\n\n".join(undetected)
    assert not [outcome for outcome in outcomes if outcome.status == 0]


def _wound(settings: WorkerSettings, wound: str) -> Outcome:
    file = settings.directory / "wound"
    repository = str(Path(__file__).parents[2])
    worker = WorkerProcess(
        settings,
        "worker",
        # Simulated readings, so that there is always something to do.
        {"WOUND_FILE": str(file), "PYTHONPATH": repository, "BP_FAUST_SIMULATION_INTERVAL": "0.2"},
        ["-A", "tests.chaos.wounded"],
    )
    try:
        worker.wait_until_ready(READY_SECONDS)
        wait_for(lambda: worker.get("/patients/")["patients"], 60, "a first reading")
        file.write_text(wound)
        started = time.monotonic()
        wait_for(lambda: worker.status("/readyz") != 200, 60, f"the worker to notice: {wound}", every=0.2)
        noticed = time.monotonic() - started
        wait_for(lambda: worker.process.poll() is not None, 120, f"the process to end: {wound}", every=0.2)
        return Outcome(wound, noticed, time.monotonic() - started, worker.process.returncode)
    except AssertionError as exc:
        raise AssertionError(f"{exc}\n{worker.log_tail()}") from exc
    finally:
        worker.end()
