"""What the page is told: counts of the whole installation, live, of whichever workers are there."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import orjson
from aiokafka import AIOKafkaProducer
from yarl import URL

from tests import oracle
from tests.kafka_client import produce, read_all
from tests.pipeline import eventually, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]

TOKEN = "a-token-for-tests-only"
FROM_PAGE = {"Sec-Fetch-Site": "same-origin"}

#: How long may pass until something shows, on a busy machine, in seconds.
SHOWN_SECONDS = 60.0


@contextlib.asynccontextmanager
async def events(session: aiohttp.ClientSession) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Give the overviews that a worker pushes, as a browser's EventSource reads them."""
    async with session.get("/events/", timeout=aiohttp.ClientTimeout(total=None, sock_read=SHOWN_SECONDS)) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]

        async def read() -> AsyncIterator[dict[str, Any]]:
            async for line in response.content:
                if line.startswith(b"data: "):
                    yield orjson.loads(line[6:])

        yield read()


async def first(overviews: AsyncIterator[dict[str, Any]], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the first overview that is as wanted."""

    async def look() -> dict[str, Any]:
        async for overview in overviews:
            if wanted(overview):
                return overview
        raise AssertionError("The stream has ended.")

    return await asyncio.wait_for(look(), SHOWN_SECONDS)


async def end_of(overviews: AsyncIterator[dict[str, Any]]) -> None:
    """Wait until the worker ends a stream."""

    async def rest() -> None:
        async for _ in overviews:
            pass

    await asyncio.wait_for(rest(), SHOWN_SECONDS)


def browser(worker: WorkerProcess) -> aiohttp.ClientSession:
    """Return what keeps cookies as a browser does."""
    return aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}", cookie_jar=aiohttp.CookieJar(unsafe=True))


async def test_the_counts_are_those_of_all_patients_whatever_happens_to_them(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    """Corrections, withdrawals, repeats and acknowledgements; two workers, one of which dies; tables rebuilt."""
    workers = [start_worker(name, BP_FAUST_WEB_TOKEN=TOKEN) for name in ("first", "second")]
    envelopes = oracle.random_envelopes(400, patients=60, seed=11)
    corrected = [
        oracle.envelope(one["patient"]["id"], 120, 75, identity=one["observation"]["id"], status="corrected")
        for one in envelopes[::7]
    ]
    withdrawn = [
        oracle.envelope(one["patient"]["id"], 120, 75, identity=one["observation"]["id"], status="entered-in-error")
        for one in envelopes[3::11]
    ]
    await produce(settings.kafka, settings.readings_topic, [*envelopes, *envelopes[:50], b"no json"])
    await wait_until_drained(settings)
    await produce(settings.kafka, settings.readings_topic, [*corrected, *withdrawn, b"no json either"])
    await wait_until_drained(settings)
    alerts = workers[0].get("/alerts/")["alerts"]
    assert alerts
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        path = f"/patients/{alerts[0]['patient_id']}/alerts/{alerts[0]['alert_id']}/acknowledge/"
        async with session.post(workers[0].url(path), json={"who": "nurse", "why": "called"}) as response:
            assert response.status == 200, await response.text()
    await wait_until_drained(settings)
    for worker in workers:
        await eventually(lambda worker=worker: not is_incomplete(worker.get("/overview/")))  # type: ignore[misc]
        await asyncio.to_thread(compare, worker)
    assert workers[0].get("/overview/")["refusals"] == {"not-json": 2}

    workers[1].kill()
    await eventually(lambda: not is_incomplete(workers[0].get("/overview/")))
    await asyncio.to_thread(compare, workers[0])
    workers[0].kill()
    third = start_worker("third", BP_FAUST_WEB_TOKEN=TOKEN)
    await asyncio.to_thread(compare, third)


async def test_tables_of_a_version_that_kept_no_totals_get_them_with_the_next_batch(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker("newer")
    envelopes = [
        oracle.envelope(f"p{number}", 150, 95, effective=f"2026-03-01T{hour}:00:00Z")
        for number in range(12)
        for hour in ("08", "09")
    ]
    await produce(settings.kafka, settings.readings_topic, envelopes)
    await wait_until_drained(settings)
    alerts = worker.get("/alerts/")["alerts"]
    assert len(alerts) == 12
    assert worker.stop() == 0
    changelog = f"{settings.app_id}-patients-changelog"
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        for record in await read_all(settings.kafka, changelog):
            if record.key.startswith((b"totals/", b"alerted/")):
                await producer.send_and_wait(changelog, None, record.key, record.partition)

    worker = start_worker("as after an older one")
    assert worker.get("/alerts/")["alerts"] == alerts
    again = [oracle.envelope(f"p{number}", 120, 75, effective="2026-03-02T08:00:00Z") for number in range(12)]
    await produce(settings.kafka, settings.readings_topic, again)
    await wait_until_drained(settings)
    overview = worker.get("/overview/")
    assert (overview["patients"], overview["readings"], overview["anomalies"]) == (12, 36, {"Hypertension": 24})
    assert overview["alerts"]["moderate"]["open"] == len(worker.get("/alerts/")["alerts"]) == 12


def is_incomplete(overview: dict[str, Any]) -> bool:
    return bool(overview["workers_missing"] or overview["partitions_missing"])


def compare(worker: WorkerProcess) -> None:
    """Check that the overview says what a count of the patients and of their alerts, one by one, does."""
    overview, patients = worker.get("/overview/"), worker.get("/patients/")["patients"]
    details = [worker.get(f"/patients/{patient['patient_id']}/") for patient in patients]
    of_patients = [alert for patient in details for alert in patient["alerts"]]
    anomalies = Counter[str]()
    for patient in patients:
        anomalies.update(patient["anomalies"])
    assert overview["patients"] == len(patients) > 0
    assert overview["readings"] == sum(patient["readings"] for patient in patients) > 0
    assert overview["implausible"] == sum(patient["implausible"] for patient in patients) > 0
    assert overview["anomalies"] == dict(anomalies)
    told = sorted(worker.get("/alerts/")["alerts"], key=lambda alert: alert["alert_id"])
    assert told == sorted(of_patients, key=lambda alert: alert["alert_id"])
    for query, wanted in (
        ("acknowledged=yes", [alert for alert in told if alert["status"] == "acknowledged"]),
        ("acknowledged=no&severity=moderate", [alert for alert in told if alert["status"] != "acknowledged"]),
        ("severity=severe", []),
        ("search=HYPERT", [alert for alert in told if alert["title"] == "Hypertension"]),
    ):
        answer = worker.get(f"/alerts/?{query}&limit=3")
        assert answer["total"] == len(wanted), query
        assert len(answer["alerts"]) == min(3, len(wanted))
        assert all(alert in wanted for alert in answer["alerts"])
    known = Counter((alert["severity"], alert["status"] == "acknowledged") for alert in told)
    expected = {
        severity: {"open": known[severity, False], "acknowledged": known[severity, True]} for severity, _ in known
    }
    assert overview["alerts"] == expected
    assert sum(counts["acknowledged"] for counts in overview["alerts"].values()) == 1


async def test_a_page_of_patients_is_the_same_from_any_worker(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    workers = [start_worker(name) for name in ("first", "second")]
    names = [f"patient-{number:03d}" for number in range(30)] + ["50%", "Ward-7-A", "ward-7-b"]
    envelopes = [oracle.envelope(name, 120, 75) for name in names]
    for one in envelopes:
        del one["observation"]["subject"]  # not every id may stand in a reference
    await produce(settings.kafka, settings.readings_topic, envelopes)
    await wait_until_drained(settings)

    def shared() -> bool:
        return all(worker.get("/patients/?local")["patients"] for worker in workers)

    await eventually(shared)
    for worker in workers:
        found: list[str] = []
        more = True
        while more:
            after = found[-1].replace("%", "%25") if found else ""
            answer = worker.get(f"/patients/?limit=7&after={after}")
            found += [patient["patient_id"] for patient in answer["patients"]]
            more = answer["more"]
            assert len(answer["patients"]) == 7 or not more
        assert found == sorted(names)
        wards = worker.get("/patients/?search=WARD-7&limit=1")
        assert [patient["patient_id"] for patient in wards["patients"]] == ["Ward-7-A"]
        assert wards["more"]
        assert worker.status("/patients/?limit=0") == 422
        for wrong in ("severity=sever", "acknowledged=maybe", "limit=some"):
            assert worker.status(f"/alerts/?{wrong}") == 422


async def test_a_reading_shows_in_the_stream_and_a_worker_that_is_silent_is_named(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    workers = [start_worker(name) for name in ("first", "second")]
    names = {f"http://127.0.0.1:{worker.port}" for worker in workers}
    async with browser(workers[0]) as session, events(session) as overviews:
        await first(overviews, lambda one: {worker["address"] for worker in one["workers"]} == names)
        await produce(settings.kafka, settings.readings_topic, [oracle.envelope("live", 150, 95), b"no json"])
        shown = await first(overviews, lambda one: one["patients"] == 1 and one["refusals"] == {"not-json": 1})
        assert shown["anomalies"] == {"Hypertension": 1}
        workers[1].freeze()
        silent = f"http://127.0.0.1:{workers[1].port}"
        await first(overviews, lambda one: one["workers_missing"] == [silent])
        workers[1].thaw()
        await first(overviews, lambda one: not is_incomplete(one))


async def test_a_worker_stops_with_pages_open_even_one_that_takes_nothing(start_worker: StartWorker) -> None:
    worker = start_worker()
    async with browser(worker) as session, events(session) as overviews:
        await first(overviews, lambda one: one["workers"][0]["ready"])
        _, writer = await asyncio.open_connection("127.0.0.1", worker.port, limit=1)
        writer.write(b"GET /events/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await writer.drain()
        # Within less than what ends a worker by force.
        assert await asyncio.to_thread(worker.stop, 20.0) == 0
        with contextlib.suppress(aiohttp.ClientError):
            async for _ in overviews:
                pass
        writer.close()


async def test_streams_end_with_their_session_and_need_one(start_worker: StartWorker) -> None:
    worker = start_worker(BP_FAUST_WEB_TOKEN=TOKEN)
    async with browser(worker) as session, browser(worker) as other:
        for path in ("/events/", "/overview/", "/system/", "/overview/worker/", "/system/worker/", "/charts/"):
            async with session.get(path) as response:
                assert response.status == 401
        for one in (session, other):
            async with one.post("/session/", json={"token": TOKEN}, headers=FROM_PAGE) as response:
                assert response.status == 200
        async with events(session) as overviews, events(other) as others:
            await first(overviews, lambda one: bool(one["workers"]))
            cookies = {cookie.key: cookie.value for cookie in session.cookie_jar}
            async with session.delete("/session/", headers=FROM_PAGE) as response:
                assert response.status == 200
            await end_of(overviews)
            await first(others, lambda one: bool(one["workers"]))
        async with session.get("/overview/", cookies=cookies) as response:
            assert response.status == 401
        async with other.get("/system/") as response:
            system = await response.json()
    shown = {setting["name"]: setting for setting in system["settings"]}
    assert shown["BP_FAUST_WEB_TOKEN"] == {"name": "BP_FAUST_WEB_TOKEN", "value": "set", "from": "environment"}
    assert TOKEN not in str(system)
    assert {one["worker"] for one in system["partitions"]} == {f"http://127.0.0.1:{worker.port}"}
    assert {(one["table"], one["partition"]) for one in system["tables"]} >= {("patients", 0), ("refusals", 3)}


async def test_signing_out_at_one_worker_ends_the_session_at_the_others(start_worker: StartWorker) -> None:
    workers = [start_worker(name, BP_FAUST_WEB_TOKEN=TOKEN) for name in ("first", "second")]
    async with browser(workers[0]) as session, browser(workers[1]) as kept:
        async with session.post("/session/", json={"token": TOKEN}, headers=FROM_PAGE) as response:
            assert response.status == 200
        kept.cookie_jar.update_cookies(
            {cookie.key: cookie.value for cookie in session.cookie_jar}, URL(workers[1].url("/"))
        )
        async with events(kept) as overviews, events(session) as others:
            for stream in (overviews, others):
                await first(stream, lambda one: len(one["workers"]) == 2)
            async with session.delete("/session/", headers=FROM_PAGE) as response:
                assert response.status == 200
            await end_of(overviews)
        async with kept.get("/overview/") as response:
            assert response.status == 401
