"""Whatever Elasticsearch does, counting goes on, and the index has each document once when it is over."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import orjson

from tests import oracle
from tests.chaos.behind_proxy import PATIENCE_SECONDS, behind, check_all_is_there, stored_documents, until_stored
from tests.chaos.figures import Figures
from tests.chaos.steady_readings import SteadyReadings
from tests.chaos.watching import Watch
from tests.fault_proxy import OUTAGES, FaultProxy
from tests.kafka_client import produce, read_all
from tests.pipeline import anomaly_types, eventually, table_counts, wait_until_drained
from tests.worker_process import WorkerSettings

CASE = "3 elasticsearch"

#: How long an outage lasts, in seconds, and how many readings come in each second meanwhile.
OUTAGE_SECONDS, OUTAGE_SECONDS_IN_FULL = 15.0, 300.0
READINGS_PER_SECOND = 200

#: How soon after it the backlog is to be worked through, and how long counting may pause meanwhile, in seconds.
DRAINED_SECONDS = 60.0
PAUSE_SECONDS = 5.0
SHORT = ["connection refused", "429"]

READINGS, READINGS_IN_FULL = 6_000, 60_000

#: For how long workers are watched that shared an outage, in seconds: longer than one lives whose work is missed.
WATCHED_SECONDS, WATCHED_SECONDS_IN_FULL = 0.0, 120.0


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


async def test_counting_never_stops_in_an_outage_and_the_backlog_is_stored_soon_after(
    kafka: str, elasticsearch_url: str, tmp_path: Path, full: bool, seed: int, figures: Figures
) -> None:
    seconds = OUTAGE_SECONDS_IN_FULL if full else OUTAGE_SECONDS

    async def one(number: int, outage: str) -> Outcome:
        directory = tmp_path / str(number)
        directory.mkdir()
        settings = WorkerSettings.unique(kafka, elasticsearch_url, directory)
        return await _live_through(settings, outage, seconds, seed + number)

    chosen = list(OUTAGES) if full else SHORT
    # Each to its end, whatever becomes of the others: what is under way would stay so.
    outcomes = await asyncio.gather(
        *(one(number, outage) for number, outage in enumerate(chosen)), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    for outcome in outcomes:
        assert isinstance(outcome, Outcome)
        what = f"{outcome.outage} for {seconds:.0f} s at {READINGS_PER_SECOND} readings/s"
        figures.add(
            CASE,
            f"{what}: counting never stops",
            f"no pause above {PAUSE_SECONDS:.0f} s, always ready",
            f"longest pause {outcome.longest_gap:.1f} s, {'always' if outcome.always_ready else 'not always'} ready",
            reached=outcome.longest_gap <= PAUSE_SECONDS and outcome.always_ready,
        )
        figures.add(
            CASE,
            f"{what}: backlog stored, each document once, no dead letter",
            f"within {DRAINED_SECONDS:.0f} s of the return",
            f"{outcome.backlog:,} documents in {outcome.drained:.1f} s, the first after {outcome.first:.1f} s",
            reached=outcome.drained <= DRAINED_SECONDS,
        )


async def _live_through(settings: WorkerSettings, outage: str, seconds: float, seed: int) -> Outcome:
    async with FaultProxy(settings.elasticsearch_url) as proxy, behind(proxy, settings) as worker:
        readings = SteadyReadings(settings, READINGS_PER_SECOND, seed)
        async with readings:
            await until_stored(settings, lambda: max(READINGS_PER_SECOND, readings.anomalies))
            await OUTAGES[outage](proxy)
            async with Watch(worker, counting=True) as watch:
                await asyncio.sleep(seconds)
            assert worker.process.poll() is None, worker.log_tail()
            stored = await stored_documents(settings)
            backlog = readings.anomalies - stored
            await proxy.heal()
            healed = time.monotonic()
            while await stored_documents(settings) == stored:
                assert time.monotonic() < healed + PATIENCE_SECONDS, worker.log_tail()
                await asyncio.sleep(0.1)
            first = time.monotonic()
            drained = await until_stored(settings, lambda: readings.anomalies)
        await check_all_is_there(worker, readings)
        assert "[critical" not in worker.log.read_text()
        return Outcome(outage, watch.longest_gap, watch.always_ready, backlog, first - healed, drained - healed)


async def test_a_worker_that_joins_in_an_outage_takes_its_share_and_both_live_on(
    settings: WorkerSettings, full: bool, seed: int, figures: Figures
) -> None:
    watched = WATCHED_SECONDS_IN_FULL if full else WATCHED_SECONDS
    async with FaultProxy(settings.elasticsearch_url) as proxy, behind(proxy, settings, "first") as first:
        readings = SteadyReadings(settings, READINGS_PER_SECOND, seed)
        async with readings:
            await until_stored(settings, lambda: max(READINGS_PER_SECOND, readings.anomalies))
            proxy.answer_with(503)
            async with behind(proxy, settings, "second") as second:

                def shared() -> bool:
                    return all(
                        worker.status("/readyz") == 200 and worker.get("/patients/?local")["patients"]
                        for worker in (first, second)
                    )

                await eventually(shared)
                await proxy.heal()
                await until_stored(settings, lambda: readings.anomalies)
                async with Watch(first, counting=False) as of_first, Watch(second, counting=False) as of_second:
                    await asyncio.sleep(watched)
                    await asyncio.gather(of_first.ready.wait(), of_second.ready.wait())
                assert second.process.poll() is None, second.log_tail()
                await readings.stop()
                await check_all_is_there(first, readings)
    always_ready = of_first.always_ready and of_second.always_ready
    figures.add(
        CASE,
        f"503, a second worker joins meanwhile: both for {watched:.0f} s after it, each document once",
        "always ready",
        "always ready" if always_ready else "not always ready",
        reached=always_ready,
    )


async def test_of_a_request_only_the_failed_items_are_sent_again(
    settings: WorkerSettings, full: bool, seed: int, figures: Figures
) -> None:
    """One in a hundred each of 400, 409 and 429: a dead letter, taken as stored, sent once more."""
    envelopes = oracle.random_envelopes(READINGS_IN_FULL if full else READINGS, patients=500, seed=seed)
    expected = oracle.documents(envelopes)
    async with FaultProxy(settings.elasticsearch_url) as proxy, behind(proxy, settings) as worker:
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
    stored = await anomaly_types(settings)
    assert len(stored) == len(expected) - len(struck[400])
    assert not stored.keys() & refused.keys()
    assert {**stored, **refused} == expected

    for status, goal, became in (
        (400, "on the dead-letter topic, once, with the reason", "there, sent once"),
        (409, "taken as stored", "stored, sent once"),
        (429, "sent again until stored", "stored, sent twice"),
    ):
        figures.add(
            CASE,
            f"{status} for 1 % of {len(expected):,} documents",
            f"all {goal}",
            f"all {len(struck[status]):,} {became}",
            reached=True,
        )
    others = len(expected) - sum(len(struck[status]) for status in (400, 409, 429))
    figures.add(CASE, "documents that did not fail", "sent once", f"all {others:,} sent once, and stored", reached=True)
