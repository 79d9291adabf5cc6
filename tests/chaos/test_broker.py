"""A broker that stops, dies or freezes is no reason to lose or double anything, nor for a hand to help."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bp_faust.local import downloads
from bp_faust.local.kafka import KafkaBroker
from tests import oracle
from tests.chaos.figures import Figures
from tests.chaos.installation import HASTY, Installation
from tests.chaos.verdict import verdict
from tests.stack_session import StackSession
from tests.worker_process import WorkerSettings

CASE = "2 broker"

#: How soon all partitions must be served again, in seconds.
BACK_SECONDS = 60.0

#: How long a fault is waited out before it counts as never mended, in seconds.
LONGEST_SECONDS = 180.0

FREEZE_SECONDS, FREEZE_SECONDS_IN_SHORT = 30.0, 10.0
STOPS, STOPS_IN_SHORT = 5, 1
READINGS_PER_SECOND = 100


@pytest.fixture
def broker(stack: StackSession, tmp_path: Path) -> Iterator[KafkaBroker]:
    """Give a broker to break."""
    own = KafkaBroker(tmp_path / "kafka", downloads.fetch(downloads.KAFKA, downloads.default_cache_dir()))
    own.start()
    yield own
    own.stop()


async def test_broker_that_stops_dies_or_freezes(
    broker: KafkaBroker, elasticsearch_url: str, tmp_path: Path, full: bool, seed: int, figures: Figures
) -> None:
    chance = random.Random(seed)
    stops = STOPS if full else STOPS_IN_SHORT
    # Enough for the whole of a fault and what comes after it.
    readings = READINGS_PER_SECOND * (40 if full else 10)
    faults = [*["hard"] * stops, *["clean"] * stops, "freeze"]
    chance.shuffle(faults)
    settings = WorkerSettings.unique(broker.bootstrap, elasticsearch_url, tmp_path)
    installation = Installation(settings, **HASTY)
    envelopes: list[dict[str, object]] = []
    slowest: dict[str, float] = {}

    async with installation.supervised():
        workers = [installation.add(name) for name in ("first", "second")]
        await installation.wait_until_ready()
        for number, fault in enumerate(faults):
            chunk = oracle.random_envelopes(readings, patients=1000, seed=seed * 1000 + number)
            envelopes += chunk
            feeding = asyncio.create_task(installation.feed(chunk, readings / READINGS_PER_SECOND))
            await asyncio.sleep(chance.uniform(0.5, 4))  # the moment is what chance is about
            if fault == "hard":
                broker.kill()
                await asyncio.to_thread(broker.start)
            elif fault == "clean":
                await asyncio.to_thread(broker.stop)
                await asyncio.to_thread(broker.start)
            else:
                broker.freeze()
                await asyncio.sleep(1)
                installation.kill(chance.choice(workers))
                await asyncio.sleep(FREEZE_SECONDS if full else FREEZE_SECONDS_IN_SHORT)
                broker.thaw()
            seconds = await installation.wait_until_served(envelopes, LONGEST_SECONDS)
            figures.say(f"{fault}: all partitions served {seconds:.1f} s after the broker's return")
            slowest[fault] = max(seconds, slowest.get(fault, 0.0))
            await feeding
        found = await verdict(installation, envelopes)

    frozen = FREEZE_SECONDS if full else FREEZE_SECONDS_IN_SHORT
    for fault, what in (
        ("hard", f"killed and started again {stops} times"),
        ("clean", f"stopped and started again {stops} times"),
        (
            "freeze",
            f"frozen for {frozen:.0f} s, a worker killed meanwhile",
        ),
    ):
        figures.add(
            CASE,
            f"{what}: all partitions served again",
            f"within {BACK_SECONDS:.0f} s",
            f"after {slowest[fault]:.1f} s at most",
            reached=slowest[fault] <= BACK_SECONDS,
        )
    found.add_to(figures, CASE)
    assert found.is_right, f"{found}\nstatuses of workers that ended by themselves: {installation.exits}"
