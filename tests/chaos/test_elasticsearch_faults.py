"""Whatever Elasticsearch does, counting goes on, and the index has each document once when it is over."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from elasticsearch import AsyncElasticsearch

from tests import oracle
from tests.chaos.figures import Figures
from tests.chaos.steady_readings import SteadyReadings
from tests.chaos.watching import Watch
from tests.fault_proxy import FaultProxy
from tests.kafka_client import produce, read_all
from tests.pipeline import documents, eventually, table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

OUTAGE_CASE, ITEM_CASE, DENIAL_CASE = "3 elasticsearch outage", "3 elasticsearch items", "3 elasticsearch denial"

#: How long an outage lasts, in seconds, and how many readings come in each second meanwhile.
OUTAGE_SECONDS, OUTAGE_SECONDS_IN_FULL = 15.0, 300.0
READINGS_PER_SECOND = 200

#: How soon after it the backlog is to be worked through, and how long counting may pause meanwhile, in seconds.
DRAINED_SECONDS = 60.0
PAUSE_SECONDS = 5.0

#: How long to wait for it, in seconds.
PATIENCE_SECONDS = 300.0


async def _refuse(proxy: FaultProxy) -> None:
    await proxy.refuse()


async def _swallow(proxy: FaultProxy) -> None:
    proxy.swallow()


async def _overload(proxy: FaultProxy) -> None:
    proxy.answer_with(429)


async def _fail(proxy: FaultProxy) -> None:
    proxy.answer_with(503)


OUTAGES: dict[str, Callable[[FaultProxy], Awaitable[None]]] = {
    "connection refused": _refuse,
    "429": _overload,
    "black hole": _swallow,
    "503": _fail,
}
SHORT = ["connection refused", "429"]

#: For how long we are denied the index, in seconds, and with which statuses, one after the other.
DENIAL_SECONDS, DENIAL_SECONDS_IN_FULL = 5.0, 130.0
DENIALS, DENIALS_IN_FULL = [401], [401, 403]
NOTICED_SECONDS = 10.0

READINGS, READINGS_IN_FULL = 6_000, 60_000


class Outcome(NamedTuple):
    """Hold what an outage did; times are in seconds."""

    outage: str
    #: For how long counting paused at most.
    longest_gap: float
    always_ready: bool
    #: How many documents were to be stored when it was over, and how soon after its end the first and all of them were.
    backlog: int
    first: float
    drained: float


@asynccontextmanager
async def _behind(proxy: FaultProxy, settings: WorkerSettings) -> AsyncIterator[WorkerProcess]:
    """Give a ready worker that reaches Elasticsearch through a proxy."""
    worker = WorkerProcess(settings, "worker", {"BP_FAUST_ELASTICSEARCH_URL": proxy.url})
    try:
        await asyncio.to_thread(worker.wait_until_ready)
        yield worker
    finally:
        await asyncio.to_thread(worker.end)


async def _stored(settings: WorkerSettings) -> int:
    """Return how many documents the index has taken."""
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        stats = await client.options(ignore_status=404).indices.stats(index=settings.index, metric="indexing")
        # The worker opens the index while it is at work already: it is not there, then it has no shard for a moment.
        primaries = stats.body.get("_all", {}).get("primaries", {})
        return int(primaries.get("indexing", {}).get("index_total", 0))


async def _until_stored(settings: WorkerSettings, due: Callable[[], int]) -> float:
    """Wait until the index has no fewer documents than were due a second before; return when that was."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        wanted = due()
        await asyncio.sleep(1)
        if await _stored(settings) >= wanted:
            return time.monotonic()
        assert time.monotonic() < deadline, f"{await _stored(settings)} of {wanted} documents are stored"


async def _check(worker: WorkerProcess, readings: SteadyReadings) -> None:
    """Compare counts and documents with the oracle's; nothing is a dead letter."""
    settings = worker.settings
    await wait_until_drained(settings, PATIENCE_SECONDS)
    assert worker.process.poll() is None, worker.log_tail()
    counts = await asyncio.to_thread(table_counts, worker)
    assert counts == await asyncio.to_thread(lambda: oracle.counts(readings.envelopes()))
    expected = await asyncio.to_thread(lambda: oracle.documents(readings.envelopes()))
    found = await documents(settings)
    assert len(found) == len(expected) == readings.anomalies
    assert {(one["patient_id"], one["observation_id"]): one["anomaly_type"] for one in found} == expected
    assert await read_all(settings.kafka, settings.dead_letters_topic) == []


async def test_counting_never_stops_in_an_outage_and_the_backlog_is_stored_soon_after(
    kafka: str, elasticsearch_url: str, tmp_path: Path, full: bool, seed: int, figures: Figures
) -> None:
    figures.skip_known(OUTAGE_CASE)
    seconds = OUTAGE_SECONDS_IN_FULL if full else OUTAGE_SECONDS

    async def one(number: int, outage: str) -> Outcome:
        directory = tmp_path / str(number)
        directory.mkdir()
        settings = WorkerSettings.unique(kafka, elasticsearch_url, directory)
        outcome = await _live_through(settings, outage, seconds, seed + number)
        figures.say(
            f"{outage} for {seconds:.0f} s: counting paused {outcome.longest_gap:.1f} s at most; {outcome.backlog:,} "
            f"documents, the first stored after {outcome.first:.1f} s, all after {outcome.drained:.1f} s"
        )
        return outcome

    chosen = list(OUTAGES) if full else SHORT
    outcomes = await asyncio.gather(*(one(number, outage) for number, outage in enumerate(chosen)))
    for outcome in outcomes:
        what = f"{outcome.outage} for {seconds:.0f} s at {READINGS_PER_SECOND} readings/s"
        figures.add(
            OUTAGE_CASE,
            f"{what}: counting never stops",
            f"no pause above {PAUSE_SECONDS:.0f} s, always ready",
            f"longest pause {outcome.longest_gap:.1f} s, {'always' if outcome.always_ready else 'not always'} ready",
            reached=outcome.longest_gap <= PAUSE_SECONDS and outcome.always_ready,
        )
        figures.add(
            OUTAGE_CASE,
            f"{what}: backlog stored, each document once, no dead letter",
            f"within {DRAINED_SECONDS:.0f} s of the return",
            f"{outcome.backlog:,} documents in {outcome.drained:.1f} s, the first after {outcome.first:.1f} s",
            reached=outcome.drained <= DRAINED_SECONDS,
        )


async def _live_through(settings: WorkerSettings, outage: str, seconds: float, seed: int) -> Outcome:
    async with FaultProxy(settings.elasticsearch_url) as proxy, _behind(proxy, settings) as worker:
        readings = SteadyReadings(settings, READINGS_PER_SECOND, seed)
        async with readings:
            await _until_stored(settings, lambda: max(READINGS_PER_SECOND, readings.anomalies))
            await OUTAGES[outage](proxy)
            async with Watch(worker, counting=True) as watch:
                await asyncio.sleep(seconds)
            assert worker.process.poll() is None, worker.log_tail()
            stored = await _stored(settings)
            backlog = readings.anomalies - stored
            await proxy.heal()
            healed = time.monotonic()
            while await _stored(settings) == stored:
                assert time.monotonic() < healed + PATIENCE_SECONDS, worker.log_tail()
                await asyncio.sleep(0.1)
            first = time.monotonic()
            drained = await _until_stored(settings, lambda: readings.anomalies)
        await _check(worker, readings)
        assert "CRITICAL" not in worker.log.read_text()
        return Outcome(outage, watch.longest_gap, watch.always_ready, backlog, first - healed, drained - healed)


async def test_of_a_request_only_the_failed_items_are_sent_again(
    settings: WorkerSettings, full: bool, seed: int, figures: Figures
) -> None:
    """One in a hundred each of 400, 409 and 429: a dead letter, taken as stored, sent once more."""
    figures.skip_known(ITEM_CASE)
    envelopes = oracle.random_envelopes(READINGS_IN_FULL if full else READINGS, patients=500, seed=seed)
    expected = oracle.documents(envelopes)
    async with FaultProxy(settings.elasticsearch_url) as proxy, _behind(proxy, settings) as worker:
        for status in (400, 409, 429):
            proxy.damage_items(status, 0.01, settings.index)
        await produce(settings.kafka, settings.readings_topic, envelopes)
        await wait_until_drained(settings, PATIENCE_SECONDS)
        assert await asyncio.to_thread(table_counts, worker) == oracle.counts(envelopes)
        sent, struck = proxy.sent[settings.index], proxy.struck
        assert all(struck[status] for status in (400, 409, 429))
        refusals = worker.get("/refusals/")["refusals"]

    assert len(sent) == len(expected)
    assert sent == Counter({identity: 2 if identity in struck[429] else 1 for identity in sent})
    assert refusals == {"elasticsearch-400": len(struck[400])}

    anomalies = {
        (record.partition, record.offset): record.value
        for record in await read_all(settings.kafka, settings.anomalies_topic)
    }
    refused = {}
    for letter in await read_all(settings.kafka, settings.dead_letters_topic):
        headers = dict(letter.headers)
        assert headers["bp_faust.topic"] == settings.anomalies_topic.encode()
        assert headers["bp_faust.reason"] == b"elasticsearch-400"
        assert letter.value == anomalies[int(headers["bp_faust.partition"]), int(headers["bp_faust.offset"])]
        anomaly = orjson.loads(letter.value)
        identity = anomaly["patient_id"], anomaly["observation_id"]
        assert identity not in refused
        refused[identity] = anomaly["anomaly_type"]
    found = await documents(settings)
    stored = {(one["patient_id"], one["observation_id"]): one["anomaly_type"] for one in found}
    assert len(found) == len(stored) == len(expected) - len(struck[400])
    assert not stored.keys() & refused.keys()
    assert {**stored, **refused} == expected

    for status, goal, became in (
        (400, "on the dead-letter topic, once, with the reason", "there, sent once"),
        (409, "taken as stored", "stored, sent once"),
        (429, "sent again until stored", "stored, sent twice"),
    ):
        figures.add(
            ITEM_CASE,
            f"{status} for 1 % of {len(expected):,} documents",
            f"all {goal}",
            f"all {len(struck[status]):,} {became}",
            reached=True,
        )
    others = len(expected) - sum(len(struck[status]) for status in (400, 409, 429))
    figures.add(
        ITEM_CASE, "documents that did not fail", "sent once", f"all {others:,} sent once, and stored", reached=True
    )


async def test_rights_that_are_taken_away_cost_no_document_and_stop_only_the_index(
    settings: WorkerSettings, full: bool, seed: int, figures: Figures
) -> None:
    figures.skip_known(DENIAL_CASE)
    seconds = DENIAL_SECONDS_IN_FULL if full else DENIAL_SECONDS
    denials = DENIALS_IN_FULL if full else DENIALS
    async with FaultProxy(settings.elasticsearch_url) as proxy, _behind(proxy, settings) as worker:
        readings = SteadyReadings(settings, READINGS_PER_SECOND / 4, seed)
        async with readings:
            await _until_stored(settings, lambda: max(READINGS_PER_SECOND // 4, readings.anomalies))
            for status in denials:
                proxy.answer_with(status)
                noticed = await _seconds_until(lambda: worker.status("/readyz") == 503)
                hindrance = _body(worker, "/readyz")["hindrances"][f"index {settings.index}"]
                assert str(status) in hindrance
                assert "check the API key" in hindrance
                assert f'bp_faust_indexing_denied{{index="{settings.index}"}} 1.0' in worker.text("/metrics")
                async with Watch(worker, counting=True) as watch:
                    await asyncio.sleep(seconds)
                assert not watch.ready.is_set()
                said = worker.log.read_text().count(f"Nothing is stored in the index {settings.index};")
                await proxy.heal()
                resumed = await _seconds_until(lambda: worker.status("/readyz") == 200)
                await _until_stored(settings, lambda: readings.anomalies)
                _report(figures, status, seconds, noticed, watch.longest_gap, resumed, said)
        await _check(worker, readings)
        log = worker.log.read_text()
        assert f'bp_faust_indexing_denied{{index="{settings.index}"}} 0.0' in worker.text("/metrics")
    critical = [line for line in log.splitlines() if "CRITICAL" in line]
    assert len(critical) >= len(denials)
    assert all("it is kept, and counting goes on" in line for line in critical)


def _report(
    figures: Figures, status: int, seconds: float, noticed: float, gap: float, resumed: float, said: int
) -> None:
    figures.say(f"{status}: not ready after {noticed:.1f} s, said {said} times, indexing again after {resumed:.1f} s")
    figures.add(
        DENIAL_CASE,
        f"{status} for {seconds:.0f} s: /readyz 503 with the reason",
        f"within {NOTICED_SECONDS:.0f} s",
        f"after {noticed:.1f} s",
        reached=noticed <= NOTICED_SECONDS,
    )
    figures.add(
        DENIAL_CASE,
        f"{status} for {seconds:.0f} s: counting never stops",
        f"no pause above {PAUSE_SECONDS:.0f} s",
        f"longest pause {gap:.1f} s",
        reached=gap <= PAUSE_SECONDS,
    )
    figures.add(
        DENIAL_CASE,
        f"{status} for {seconds:.0f} s: indexing goes on by itself, no dead letter, each document once",
        f"within {DRAINED_SECONDS:.0f} s of the return",
        f"after {resumed:.1f} s",
        reached=resumed <= DRAINED_SECONDS,
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
