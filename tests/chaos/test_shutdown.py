"""A worker that is asked to stop ends soon and loses nothing, whatever Elasticsearch does."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import oracle
from tests.chaos.figures import Figures
from tests.chaos.installation import Installation
from tests.chaos.verdict import Verdict, verdict
from tests.worker_process import WorkerSettings, free_port

CASE = "7 shutdown"

#: How soon a worker must have ended, in seconds.
ENDED_SECONDS = 30.0

STOPS, STOPS_IN_SHORT = 51, 3
#: How many installations stop workers side by side.
SIDE_BY_SIDE = 3

READINGS_PER_STOP = 4000


class Outcome(NamedTuple):
    """Hold how long each stop took in seconds, the exit statuses, and what became of the readings."""

    seconds: list[float]
    statuses: list[int]
    verdict: Verdict


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Give the address of something that takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


async def test_stopping_under_load_is_quick_and_loses_nothing(
    kafka: str, elasticsearch_url: str, black_hole: str, tmp_path: Path, full: bool, seed: int, figures: Figures
) -> None:
    """Elasticsearch answers, refuses connections, or says nothing, in turn."""
    elasticsearches = [elasticsearch_url, f"http://127.0.0.1:{free_port()}", black_hole]
    installations = SIDE_BY_SIDE if full else 1
    stops = (STOPS if full else STOPS_IN_SHORT) // installations

    async def one(number: int) -> Outcome:
        directory = tmp_path / str(number)
        directory.mkdir()
        settings = WorkerSettings.unique(kafka, elasticsearch_url, directory)
        return await _stop_often(settings, elasticsearches, stops, random.Random(seed + number), figures)

    outcomes = await asyncio.gather(*(one(number) for number in range(installations)))
    seconds = [taken for outcome in outcomes for taken in outcome.seconds]
    statuses = [status for outcome in outcomes for status in outcome.statuses]
    in_time = sum(taken <= ENDED_SECONDS for taken in seconds)
    figures.add(
        CASE,
        f"ended within {ENDED_SECONDS:.0f} s of SIGTERM under load, Elasticsearch up, away or silent",
        f"{len(seconds)} of {len(seconds)}",
        f"{in_time} of {len(seconds)}, the slowest after {max(seconds):.1f} s",
        reached=in_time == len(seconds),
    )
    figures.add(
        CASE,
        "exit status 0",
        f"{len(statuses)} of {len(statuses)}",
        f"{statuses.count(0)} of {len(statuses)}",
        reached=not any(statuses),
    )
    wrong = [outcome.verdict for outcome in outcomes if not outcome.verdict.is_right]
    figures.add(
        CASE,
        "installations with anything lost, doubled or miscounted",
        f"0 of {installations}",
        f"{len(wrong)} of {installations}",
        reached=not wrong,
    )
    assert not wrong
    assert not any(statuses)


async def _stop_often(
    settings: WorkerSettings, elasticsearches: list[str], stops: int, chance: random.Random, figures: Figures
) -> Outcome:
    envelopes = oracle.random_envelopes(stops * READINGS_PER_STOP, patients=2000, seed=chance.randrange(1 << 30))
    seconds, statuses = [], []
    for number in range(stops):
        installation = Installation(
            settings,
            BP_FAUST_BROKER_MAX_POLL_RECORDS="200",
            BP_FAUST_ELASTICSEARCH_URL=elasticsearches[number % len(elasticsearches)],
        )
        async with installation.supervised():
            worker = installation.add("worker")
            await installation.wait_until_ready()
            feeding = asyncio.create_task(
                installation.feed(envelopes[number * READINGS_PER_STOP : (number + 1) * READINGS_PER_STOP], 3)
            )
            await asyncio.sleep(chance.uniform(0, 3))  # the moment is what chance is about
            started = time.monotonic()
            statuses.append(await installation.stop(worker))
            seconds.append(time.monotonic() - started)
            figures.say(f"stop {number + 1} of {stops}: status {statuses[-1]} after {seconds[-1]:.1f} s")
            await feeding
    installation = Installation(settings)
    async with installation.supervised():
        installation.add("worker")
        await installation.wait_until_ready()
        return Outcome(seconds, statuses, await verdict(installation, envelopes))
