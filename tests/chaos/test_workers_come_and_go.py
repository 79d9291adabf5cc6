"""Workers that join, leave, die and freeze share the work, and nothing is lost or doubled for it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from tests import oracle
from tests.chaos.figures import Figures
from tests.chaos.installation import HASTY, Installation
from tests.chaos.verdict import Verdict, verdict
from tests.worker_process import WorkerSettings

CASE = "4 workers"

#: How soon all partitions must be served after a worker came or went, in seconds.
SERVED_SECONDS = 60.0
LONGEST_SECONDS = 180.0

EVENTS, EVENTS_IN_SHORT = 20, 3
READINGS_PER_EVENT, READINGS_PER_EVENT_IN_SHORT = 2000, 500
MOST_WORKERS = 3

FREEZE_SECONDS, FREEZE_SECONDS_IN_SHORT = 75.0, 9.0
FREEZES, FREEZES_IN_SHORT = 10, 1
#: How many installations freeze a worker side by side.
SIDE_BY_SIDE = 5


async def test_two_and_three_workers_that_join_stop_and_die(
    settings: WorkerSettings, full: bool, seed: int, figures: Figures
) -> None:
    chance = random.Random(seed)
    events = EVENTS if full else EVENTS_IN_SHORT
    readings = READINGS_PER_EVENT if full else READINGS_PER_EVENT_IN_SHORT
    installation = Installation(settings, **HASTY)
    envelopes: list[dict[str, object]] = []
    slowest = 0.0

    async with installation.supervised():
        for name in ("first", "second"):
            installation.add(name)
        await installation.wait_until_ready()
        for number in range(events):
            chunk = oracle.random_envelopes(readings, patients=1000, seed=seed * 1000 + number)
            envelopes += chunk
            feeding = asyncio.create_task(installation.feed(chunk, readings / 200))
            await asyncio.sleep(chance.uniform(0, 2))  # the moment is what chance is about
            event = await _happen(installation, chance)
            seconds = await installation.wait_until_served(envelopes, LONGEST_SECONDS)
            figures.say(f"{event}: all partitions served after {seconds:.1f} s by {len(installation.running)}")
            slowest = max(slowest, seconds)
            await feeding
        found = await verdict(installation, envelopes)

    figures.add(
        CASE,
        f"two and three workers, {events} times one joined, was stopped or killed: all partitions served",
        f"within {SERVED_SECONDS:.0f} s",
        f"after {slowest:.1f} s at most",
        reached=slowest <= SERVED_SECONDS,
    )
    found.add_to(figures, CASE)
    assert found.is_right, f"{found}\nstatuses of workers that ended by themselves: {installation.exits}"


async def _happen(installation: Installation, chance: random.Random) -> str:
    """Let a third worker join or one of three leave, or kill any."""
    if chance.random() < 1 / 3:
        installation.kill(chance.choice(installation.running))
        return "killed"
    if len(installation.running) == MOST_WORKERS:
        await installation.stop(chance.choice(installation.running))
        return "stopped"
    if installation.stopped:
        installation.bring_back(chance.choice(installation.stopped))
    else:
        installation.add("third")
    return "joined"


async def test_a_frozen_worker_does_no_harm_when_it_wakes(
    kafka: str, elasticsearch_url: str, tmp_path: Path, full: bool, seed: int, figures: Figures
) -> None:
    freezes = FREEZES if full else FREEZES_IN_SHORT
    seconds = FREEZE_SECONDS if full else FREEZE_SECONDS_IN_SHORT
    slots = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(number: int) -> Verdict:
        async with slots:
            directory = tmp_path / str(number)
            directory.mkdir()
            settings = WorkerSettings.unique(kafka, elasticsearch_url, directory)
            found = await _freeze(settings, seed * 1000 + number, seconds)
            figures.say(f"freeze {number}: {'no harm' if found.is_right else found}")
            return found

    found = await asyncio.gather(*(one(number) for number in range(freezes)))
    harmless = sum(one.is_right for one in found)
    figures.add(
        CASE,
        f"a worker frozen for {seconds:.0f} s whose partitions were taken over does no harm when it wakes",
        f"{freezes} of {freezes}",
        f"{harmless} of {freezes}",
        reached=harmless == freezes,
    )
    assert harmless == freezes, found


async def _freeze(settings: WorkerSettings, seed: int, seconds: float) -> Verdict:
    envelopes = oracle.random_envelopes(int(seconds * 40), patients=500, seed=seed)
    installation = Installation(settings, **HASTY)
    async with installation.supervised():
        frozen, other = (installation.add(name) for name in ("frozen", "other"))
        await installation.wait_until_ready()
        await installation.feed(envelopes[:500], 0)
        feeding = asyncio.create_task(installation.feed(envelopes, seconds + 5))
        await asyncio.sleep(random.Random(seed).uniform(0.5, 2))  # the moment is what chance is about
        frozen.freeze()
        # The other has taken over when it gets everything done alone.
        waking = asyncio.get_running_loop().time() + seconds
        await installation.wait_until_served(envelopes[:500], LONGEST_SECONDS)
        await asyncio.sleep(max(0.0, waking - asyncio.get_running_loop().time()))
        frozen.thaw()
        await feeding
        assert other.process.poll() is None
        return await verdict(installation, envelopes)
