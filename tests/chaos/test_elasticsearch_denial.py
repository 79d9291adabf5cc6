"""Whoever takes our rights to Elasticsearch away stops the index, and nothing else; given back, all is as it was."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.chaos.behind_proxy import behind, check_all_is_there, until_stored
from tests.chaos.figures import Figures
from tests.chaos.steady_readings import SteadyReadings
from tests.chaos.watching import Watch
from tests.fault_proxy import FaultProxy
from tests.pipeline import eventually
from tests.worker_process import WorkerProcess, WorkerSettings

CASE = "3 elasticsearch"

#: For how long we are denied the index, in seconds, and with which statuses, one after the other.
DENIAL_SECONDS, DENIAL_SECONDS_IN_FULL = 5.0, 130.0
DENIALS, DENIALS_IN_FULL = [401], [401, 403]

READINGS_PER_SECOND = 50

#: How soon /readyz is to tell, how long counting may pause, and how soon the index is to go on again, in seconds.
NOTICED_SECONDS = 10.0
PAUSE_SECONDS = 5.0
RESUMED_SECONDS = 60.0


async def test_rights_that_are_taken_away_cost_no_document_and_stop_only_the_index(
    settings: WorkerSettings, full: bool, seed: int, figures: Figures
) -> None:
    seconds = DENIAL_SECONDS_IN_FULL if full else DENIAL_SECONDS
    told = f"Nothing is stored in the index {settings.index};"
    denials = DENIALS_IN_FULL if full else DENIALS
    async with FaultProxy(settings.elasticsearch_url) as proxy, behind(proxy, settings) as worker:
        readings = SteadyReadings(settings, READINGS_PER_SECOND, seed)
        async with readings:
            await until_stored(settings, lambda: max(READINGS_PER_SECOND, readings.anomalies))
            for status in denials:
                said_before = worker.log.read_text().count(told)
                proxy.answer_with(status)
                noticed = await _seconds_until(lambda: worker.status("/readyz") == 503)
                hindrance = _body(worker, "/readyz")["hindrances"][f"index {settings.index}"]
                assert str(status) in hindrance
                assert "check the API key" in hindrance
                assert f'bp_faust_indexing_denied{{index="{settings.index}"}} 1.0' in worker.text("/metrics")
                async with Watch(worker, counting=True) as watch:
                    await asyncio.sleep(seconds)
                assert not watch.ready.is_set()
                said = worker.log.read_text().count(told) - said_before
                await proxy.heal()
                resumed = await _seconds_until(lambda: worker.status("/readyz") == 200)
                await until_stored(settings, lambda: readings.anomalies)
                _report(figures, status, seconds, noticed, watch.longest_gap, resumed, said)
        await check_all_is_there(worker, readings)
        log = worker.log.read_text()
        assert f'bp_faust_indexing_denied{{index="{settings.index}"}} 0.0' in worker.text("/metrics")
    critical = [line for line in log.splitlines() if "[critical ]" in line]
    assert len(critical) >= len(denials)
    assert all("it is kept, and counting goes on" in line for line in critical)


def _report(
    figures: Figures, status: int, seconds: float, noticed: float, gap: float, resumed: float, said: int
) -> None:
    figures.add(
        CASE,
        f"{status} for {seconds:.0f} s: /readyz 503 with the reason",
        f"within {NOTICED_SECONDS:.0f} s",
        f"after {noticed:.1f} s",
        reached=noticed <= NOTICED_SECONDS,
    )
    figures.add(
        CASE,
        f"{status} for {seconds:.0f} s: said in the log",
        "at once, and every minute",
        f"{said} times",
        reached=said > seconds // 70,
    )
    figures.add(
        CASE,
        f"{status} for {seconds:.0f} s: counting never stops",
        f"no pause above {PAUSE_SECONDS:.0f} s",
        f"longest pause {gap:.1f} s",
        reached=gap <= PAUSE_SECONDS,
    )
    figures.add(
        CASE,
        f"{status} for {seconds:.0f} s: indexing goes on by itself, no dead letter, each document once",
        f"within {RESUMED_SECONDS:.0f} s of the return",
        f"after {resumed:.1f} s",
        reached=resumed <= RESUMED_SECONDS,
    )


async def _seconds_until(condition: Callable[[], bool]) -> float:
    started = time.monotonic()
    await eventually(condition)
    return time.monotonic() - started


def _body(worker: WorkerProcess, path: str) -> Any:
    """Return the JSON of a path that answers with an error."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(worker.url(path), timeout=5)
    with caught.value as answer:
        return orjson.loads(answer.read())
