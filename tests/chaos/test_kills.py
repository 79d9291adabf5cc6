"""Whatever moment a worker is killed at, everything counts exactly once."""

from __future__ import annotations

import asyncio
import random

from tests import oracle
from tests.chaos.figures import Figures
from tests.chaos.installation import HASTY, Installation
from tests.chaos.verdict import verdict
from tests.worker_process import WorkerSettings

CASE = "1 worker killed"

KILLS, KILLS_IN_SHORT = 100, 5
READINGS_PER_KILL = 2000

#: Every so many kills the data directory goes too.
DELETED_EVERY = 5

#: How long the longest time between two kills is, in seconds: a killed worker often has not come back by then.
LONGEST_PAUSE = 10.0


async def test_kills_lose_and_double_nothing(settings: WorkerSettings, full: bool, seed: int, figures: Figures) -> None:
    """Two workers under load, one or the other killed at random moments, while starting and recovering too."""
    kills = KILLS if full else KILLS_IN_SHORT
    chance = random.Random(seed)
    envelopes = oracle.random_envelopes(kills * READINGS_PER_KILL, patients=5000, seed=seed)
    bad = [b'{"resourceType": "Observation", "id": "%d", "status": "unheard of"}' % number for number in range(kills)]
    values = [*envelopes, *bad]
    chance.shuffle(values)
    pauses = [chance.uniform(0, LONGEST_PAUSE) for _ in range(kills)]

    installation = Installation(settings, **HASTY)
    async with installation.supervised():
        workers = [installation.add(name) for name in ("first", "second")]
        await installation.wait_until_ready()
        feeding = asyncio.create_task(installation.feed(values, sum(pauses)))
        deleted = 0
        for number, pause in enumerate(pauses, start=1):
            await asyncio.sleep(pause)  # the moment is what chance is about
            forget = number % DELETED_EVERY == 0
            deleted += forget
            installation.kill(chance.choice(workers), forget=forget)
            if number % 10 == 0:
                figures.say(f"{number} of {kills} kills")
        await feeding
        found = await verdict(installation, envelopes, bad)

    figures.add(
        CASE,
        "kills; data directories deleted; readings",
        f"{kills}; {kills // DELETED_EVERY}; {kills * READINGS_PER_KILL:,}",
        f"{kills}; {deleted}; {len(envelopes):,}",
        reached=True,
    )
    found.add_to(figures, CASE)
    assert found.is_right, f"{found}\nstatuses of workers that ended by themselves: {installation.exits}"
