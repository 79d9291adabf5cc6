"""A refused record is found over HTTP, mended and sent again; it counts once, and its letter says that it was sent."""

from __future__ import annotations

import asyncio
import copy
import gzip
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
from aiokafka import AIOKafkaProducer

from tests import oracle
from tests.dead_letter_records import letters_in
from tests.kafka_client import produce, read_all
from tests.pipeline import table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]

TOKEN = "a-token-for-tests-only"
RECORDS = "/refusals/records/"
NAME = "CanaryDoe"


@asynccontextmanager
async def client(worker: WorkerProcess) -> AsyncIterator[aiohttp.ClientSession]:
    """Give what asks a worker with its token."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}", headers=headers) as session:
        yield session


async def ask(session: aiohttp.ClientSession, path: str, **query: Any) -> tuple[int, Any]:
    """Return status and JSON of a path."""
    async with session.get(path, params=query) as response:
        return response.status, await response.json()


async def send(session: aiohttp.ClientSession, path: str, body: bytes | None = None) -> tuple[int, Any]:
    """Return status and JSON of what is posted to a path."""
    async with session.post(path, data=io.BytesIO(body) if body is not None else None) as response:
        return response.status, await response.json()


def path_of(listed: dict[str, Any]) -> str:
    """Return the path of a record that is listed."""
    place = listed["dead_letter"]
    return f"{RECORDS}{place['partition']}/{place['offset']}/"


def kilopascals(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return an envelope with a unit that is none."""
    wrong = copy.deepcopy(envelope)
    wrong["patient"]["name"] = [{"family": NAME}]
    wrong["observation"]["component"][0]["valueQuantity"] = {"value": 20, "unit": "kilopascalish"}
    return wrong


async def test_the_latest_refused_records_are_listed_page_by_page(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker(BP_FAUST_WEB_TOKEN=TOKEN)
    async with client(worker) as session:
        assert await ask(session, RECORDS) == (200, {"records": [], "before": None, "workers_missing": []})
        for number in range(6):  # so that later ones have later times
            await produce(settings.kafka, settings.readings_topic, [b"no json %d" % one for one in range(20)])
            if number == 2:
                await produce(settings.kafka, settings.readings_topic, [b"\xff"], partition=1)
        await wait_until_drained(settings)
        pages, before = [], ""
        while before is not None:
            status, answer = await ask(session, RECORDS, limit=25, before=before)
            assert status == 200
            pages.append(answer["records"])
            before = answer["before"]
        listed = [record for page in pages for record in page]
        assert [len(page) for page in pages] in ([25, 25, 25, 25, 21], [25, 25, 25, 25, 21, 0])
        assert len({(record["partition"], record["offset"]) for record in listed}) == 121
        times = [record["refused"] for record in listed]
        assert times == sorted(times, reverse=True)
        (one,) = (await ask(session, RECORDS, reason="not-utf8"))[1]["records"]
        assert one["reasons"] == [{"reason": "not-utf8", "path": "$", "detail": "The record is not UTF-8 text."}]
        assert (one["topic"], one["partition"], one["bytes"]) == (settings.readings_topic, 1, 1)
        assert one["replayed"] is None
        assert len((await ask(session, RECORDS, reason="not-json", limit=500))[1]["records"]) == 120
        assert (await ask(session, RECORDS, reason="no-value"))[1]["records"] == []
        for wrong in ({"limit": "many"}, {"before": "yesterday"}, {"before": "1-2-3"}):
            assert (await ask(session, RECORDS, **wrong))[0] == 400
        for path in ("0/999999/", "99/0/", "-1/0/", "x/y/"):
            assert (await ask(session, RECORDS + path))[0] == 404
            assert (await send(session, RECORDS + path + "replay/"))[0] == 404
        reasons = (await ask(session, "/refusals/reasons/"))[1]["reasons"]
        assert reasons["not-utf8"]["remedy"] == "Encode the JSON in UTF-8."


async def test_a_refused_record_is_mended_and_counts_once(settings: WorkerSettings, start_worker: StartWorker) -> None:
    workers = [start_worker(name, BP_FAUST_WEB_TOKEN=TOKEN) for name in ("first", "second")]
    good = [oracle.envelope(f"p-{number}", 150, 95) for number in range(4)]
    mended = copy.deepcopy(good[:3])
    del good[0]["observation"]["id"]  # so that its place has to do
    bad = [orjson.dumps(kilopascals(envelope)) for envelope in good]
    bad[1] = gzip.compress(bad[1])
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        for partition, value in enumerate(bad):
            await producer.send_and_wait(
                settings.readings_topic, value, key=b"k", headers=[("trace", b"1")], partition=partition
            )
    await wait_until_drained(settings)
    async with client(workers[0]) as session:
        listed = sorted((await ask(session, RECORDS))[1]["records"], key=lambda record: record["partition"])
        assert len(listed) == 4
        for one, envelope in zip(listed, good, strict=True):
            status, shown = await ask(session, path_of(one))
            assert (status, shown["key"], shown["headers"]) == (200, "k", [["trace", "1"]])
            assert shown["mendable"] is True
            assert json.loads(shown["text"]) == kilopascals(envelope)  # unzipped where it was zipped
            assert [(why["reason"], why["path"]) for why in shown["refused_now"]] == [
                ("unit-unknown", "observation.component[0].valueQuantity.unit")
            ]
        ingested = len(await read_all(settings.kafka, settings.readings_topic))
        for wrong, reason in ((b"{", "not-json"), (b"", "empty"), (bad[2], "unit-unknown")):
            status, answer = await send(session, path_of(listed[2]) + "mend/", wrong)
            assert (status, answer["refused_now"][0]["reason"]) == (422, reason)
            assert "nothing was sent" in answer["error"]
        assert (await send(session, path_of(listed[2]) + "mend/", b" " * (11 << 20)))[0] == 413
        assert len(await read_all(settings.kafka, settings.readings_topic)) == ingested
        assert await read_all(settings.kafka, settings.audit_topic) == []

        for one, envelope in zip(listed[:3], good, strict=False):
            status, answer = await send(session, path_of(one) + "mend/", orjson.dumps(envelope))
            assert (status, answer["mended"], answer["refused_now"]) == (200, True, [])
        status, answer = await send(session, path_of(listed[3]) + "replay/")
        assert (status, answer["mended"]) == (200, False)
        assert answer["refused_now"][0]["reason"] == "unit-unknown"
        await wait_until_drained(settings)
        assert await asyncio.to_thread(table_counts, workers[1]) == oracle.counts(mended)

        # Each of the two workers knows of some that they were sent again; both tell of all.
        for worker in workers:
            async with client(worker) as other:
                known = sorted((await ask(other, RECORDS))[1]["records"], key=lambda record: record["partition"])
            assert [record["replayed"] is not None for record in known] == [True, True, True, False]
            assert known[3]["dead_letter"] != listed[3]["dead_letter"]  # as it was refused again
            assert (known[3]["partition"], known[3]["offset"]) == (listed[3]["partition"], listed[3]["offset"])
        assert (await ask(session, path_of(listed[0])))[1]["replayed"] is not None
        assert workers[0].get("/refusals/")["refusals"] == {"unit-unknown": 4}

        # Mended twice, it still counts once.
        assert (await send(session, path_of(listed[0]) + "mend/", orjson.dumps(good[0])))[0] == 200
        await wait_until_drained(settings)
        assert await asyncio.to_thread(table_counts, workers[0]) == oracle.counts(mended)
    sent = (await read_all(settings.kafka, settings.readings_topic))[-1]
    records = [record for record in await read_all(settings.kafka, settings.readings_topic) if len(record.headers) > 1]
    assert len(records) == 5
    assert sum(("bp_faust.mended", b"true") in record.headers for record in records) == 4
    assert {record.key for record in records} == {b"k"}
    assert all(("trace", b"1") in record.headers for record in [sent, *records])
    audited = [orjson.loads(record.value) for record in await read_all(settings.kafka, settings.audit_topic)]
    assert {one["action"] for one in audited} == {"replay"}
    assert sum(one["details"]["mended"] for one in audited) == 4
    assert {one["details"]["at"].rpartition("/")[0] for one in audited} == {
        f"{settings.readings_topic}/{partition}" for partition in range(4)
    }
    assert len(letters_in(await read_all(settings.kafka, settings.dead_letters_topic))) == 5
    for worker in workers:
        assert NAME not in worker.log.read_text()


async def test_settings_are_mended_too_and_a_replay_by_command_shows(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker(BP_FAUST_WEB_TOKEN=TOKEN)
    await produce(settings.kafka, settings.patient_settings_topic, [{"pregnant": "yes"}], key=b"patient/p")
    await wait_until_drained(settings)
    async with client(worker) as session:
        (letter,) = (await ask(session, RECORDS, reason="settings-invalid"))[1]["records"]
        status, answer = await send(session, path_of(letter) + "mend/", b'{"pregnant": 1}')
        assert (status, answer["refused_now"][0]["reason"]) == (422, "settings-invalid")
        status, answer = await send(session, path_of(letter) + "mend/", b'{"pregnant": true}')
        assert status == 200
        await produce(settings.kafka, settings.readings_topic, [oracle.envelope("p", 120, 70), b"no json"])
        # Whoever writes a record cannot have its replay go elsewhere.
        async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
            elsewhere = [(f"bp_faust.{name}", value) for name, value in (("partition", b"0"), ("offset", b"7"))]
            elsewhere += [("bp_faust.topic", settings.patient_settings_topic.encode()), ("bp_faust.timestamp", b"1")]
            await producer.send_and_wait(settings.readings_topic, b"{", headers=elsewhere)
        await wait_until_drained(settings)
        assert worker.get("/patients/p/")["settings"] == {"pregnant": True}
        letters = (await ask(session, RECORDS, reason="not-json"))[1]["records"]
        assert {one["topic"] for one in letters} == {settings.readings_topic}

        replayed = await asyncio.to_thread(settings.faust, "dlq", "replay", "--topic", settings.patient_settings_topic)
        assert replayed.returncode == 0, replayed.stderr
        await wait_until_drained(settings)
        (before, again) = (await ask(session, path_of(letter)))[1], (await ask(session, RECORDS))[1]["records"][0]
        assert before["replayed"] is not None
        assert (again["offset"], again["replayed"]) == (letter["offset"], None)
        assert (await asyncio.to_thread(settings.faust, "dlq", "list")).stdout.count("\n") == 3

        # Of what is on our own topics nobody can say before whether it would be taken.
        await produce(settings.kafka, settings.anomalies_topic, [b"no anomaly"])
        await wait_until_drained(settings)
        (letter,) = (await ask(session, RECORDS, reason="not-an-anomaly"))[1]["records"]
        shown = (await ask(session, path_of(letter)))[1]
        assert (shown["mendable"], shown["refused_now"]) == (False, None)
        status, answer = await send(session, path_of(letter) + "replay/")
        assert (status, answer["refused_now"]) == (200, None)
