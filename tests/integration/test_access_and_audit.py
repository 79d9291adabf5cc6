"""Who may see and change what over HTTP, asked of real workers; and what the audit topic says of it."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import aiohttp
import orjson
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bp_faust.app import app
from tests import oracle
from tests.kafka_client import produce, read_all
from tests.pipeline import table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, wait_for

StartWorker = Callable[..., WorkerProcess]

TOKEN = "a-token-for-tests-only"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
FROM_PAGE = {"Sec-Fetch-Site": "same-origin"}
SCRIPT = "<script>alert(1)</script>"


def our_routes() -> set[tuple[str, str]]:
    """Return method and path of every route that the worker has, with something in each place."""
    for name in app.conf.autodiscover:
        import_module(name)
    return {
        (route.method, route.resource.canonical.replace("{", "").replace("}", ""))
        for route in app.web.web_app.router.routes()
        if route.resource is not None
    }


@asynccontextmanager
async def browser(worker: WorkerProcess) -> AsyncIterator[aiohttp.ClientSession]:
    """Give what keeps cookies as a browser does."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}", cookie_jar=jar) as session:
        yield session


async def audited(settings: WorkerSettings) -> list[dict[str, Any]]:
    """Return the records of the audit topic, the oldest first."""
    records = await read_all(settings.kafka, settings.audit_topic)
    return sorted((orjson.loads(record.value) for record in records), key=lambda record: record["time"])


def test_a_worker_that_others_reach_does_not_start_without_a_token(settings: WorkerSettings) -> None:
    for arguments, environment in (
        (("worker",), {"BP_FAUST_WEB_BIND": "0.0.0.0"}),
        (("worker",), {"BP_FAUST_WEB_BIND": "192.0.2.1"}),
        (("worker", "--web-bind", "::"), {}),
    ):
        ran = settings.faust(*arguments, **environment)
        assert ran.returncode == 1
        assert ran.stdout == ""
        (line,) = ran.stderr.splitlines()
        assert line.startswith("Error: ")
        assert "BP_FAUST_WEB_TOKEN" in line
        assert "BP_FAUST_WEB_BIND to 127.0.0.1" in line


async def test_with_a_token_every_route_needs_it_and_none_of_fausts_is_there(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    # Faust would open its pages by these.
    faust = {f"BP_FAUST_WEB_{name}_ENABLED": "true" for name in ("TABLES", "ROUTER", "STATS", "GRAPH", "METRICS")}
    worker = start_worker(BP_FAUST_WEB_BIND="0.0.0.0", BP_FAUST_WEB_TOKEN=TOKEN, BP_FAUST_DEBUG="true", **faust)
    of_faust = {f"/{name}" for name in ("table/", "table/x/", "table/x/y/", "router/", "router/topics", "graph/")}
    of_faust |= {"/table/patients/", "/performance/", "/stats/"}
    openly = {"/", "/livez", "/session/", "/web/name"}
    routes = our_routes()
    assert openly | {"/patients/patient_id/settings/", "/metrics", "/fhir", "/readyz"} <= {path for _, path in routes}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}") as session:
        for method, path in sorted(routes | {(method, path) for method in ("GET", "POST") for path in of_faust}):
            async with session.request(method, path, json={"token": "x"}, headers=FROM_PAGE) as response:
                is_open = path in openly and (method, path) != ("POST", "/session/")
                assert (response.status != 401) is is_open, (method, path, response.status)
                assert response.headers["X-Content-Type-Options"] == "nosniff"
        for path in of_faust:
            async with session.get(path, headers=BEARER) as response:
                assert response.status == 404
        for wrong in ({"Authorization": "Bearer nonsense"}, {"Cookie": f"bp_faust_session={TOKEN}"}):
            async with session.get("/patients/", headers=wrong) as response:
                assert (response.status, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="bp_faust"')
    assert TOKEN not in worker.log.read_text()
    assert "A wrong token came from 127.0.0.1." in worker.log.read_text()


async def test_without_a_token_answers_are_for_this_machine_and_no_other_site(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker()
    envelope = oracle.envelope(SCRIPT, 150, 95)
    del envelope["observation"]["subject"]  # which as a reference could not hold this
    await produce(settings.kafka, settings.readings_topic, [envelope])
    await wait_until_drained(settings)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}") as session:
        for path in ("/", "/web/page.js", "/web/page.css", "/patients/", "/metrics", "/nowhere", f"/nowhere/{SCRIPT}"):
            async with session.get(path, headers={"Origin": "https://evil.example"}) as response:
                assert not [name for name in response.headers if name.startswith("Access-Control-")]
                assert "script-src 'self'" in response.headers["Content-Security-Policy"]
                assert "'unsafe-inline'" not in response.headers["Content-Security-Policy"]
                assert response.headers["X-Frame-Options"] == "DENY"
                assert response.headers["Referrer-Policy"] == "no-referrer"
                is_data = path not in ("/", "/web/page.js", "/web/page.css")
                assert response.headers["Cache-Control"] == ("no-store" if is_data else "no-cache")
        async with session.options("/patients/", headers={"Origin": "https://evil.example"}) as response:
            assert response.status == 405
            assert "Access-Control-Allow-Origin" not in response.headers
        for host, status in (("rebound.example", 421), ("localhost", 200), (f"[::1]:{worker.port}", 200)):
            async with session.get("/patients/", headers={"Host": host}) as response:
                assert response.status == status
        async with session.put("/patients/p/settings/", json={}, headers=FROM_PAGE) as response:
            assert response.status == 404
            assert "BP_FAUST_WEB_TOKEN is not set" in (await response.json())["error"]
        for path in ("/table/", "/router/", "/table/patients/"):
            assert worker.status(path) == 404

        quoted = "/patients/%3Cscript%3Ealert(1)%3C%2Fscript%3E/"
        for path in ("/patients/", quoted, "/alerts/", quoted + "settings/", f"/web/{SCRIPT.replace('/', '%2F')}"):
            async with session.get(path) as response:
                assert response.content_type in ("application/json", "text/plain"), path
        for path in (quoted, "/patients/"):
            assert SCRIPT in str(worker.get(path))
        async with session.get(f"/nowhere/{SCRIPT}", headers={"Accept": "text/html"}) as response:
            assert response.content_type == "text/plain"
            assert SCRIPT not in await response.text()
    # What is no HTTP does not get as far as our headers; it is no HTML either.
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    writer.write(f"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n{SCRIPT}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.0 400")
    assert b"Content-Type: text/plain" in answer


async def test_two_workers_show_the_whole_and_act_for_each_other_by_token_and_by_session(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    envelopes = oracle.random_envelopes(200, patients=40, seed=3)
    envelopes += [oracle.envelope(f"severe-{number}", 190, 125) for number in range(8)]
    workers = [start_worker(name, BP_FAUST_WEB_TOKEN=TOKEN, BP_FAUST_POLICY="aha-2017") for name in ("first", "second")]
    await produce(settings.kafka, settings.readings_topic, envelopes)

    def shared() -> bool:
        return all(worker.status("/readyz") == 200 and worker.get("/patients/?local")["patients"] for worker in workers)

    await asyncio.to_thread(wait_for, shared, 90, "both workers to have patients")
    await wait_until_drained(settings)
    expected = {envelope["patient"]["id"] for envelope in envelopes}
    for worker in workers:
        assert set(await asyncio.to_thread(table_counts, worker)) == expected

    async with browser(workers[0]) as session:
        async with session.post("/session/", json={"token": "nonsense"}, headers=FROM_PAGE) as response:
            assert response.status == 401
        async with session.post(
            "/session/", json={"token": TOKEN}, headers={"Sec-Fetch-Site": "cross-site"}
        ) as response:
            assert response.status == 403
        async with session.get("/session/") as response:
            assert await response.json() == {"token_needed": True, "signed_in": False}
        async with session.post(
            "/session/", json={"token": TOKEN}, headers={**FROM_PAGE, "X-Forwarded-Proto": "https"}
        ) as response:
            assert response.status == 200
            assert "Secure" in response.headers["Set-Cookie"]
        async with session.post("/session/", json={"token": TOKEN}, headers=FROM_PAGE) as response:
            cookie = response.headers["Set-Cookie"]
            assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
            assert "Secure" not in cookie
            assert TOKEN not in cookie
        # Any worker with the same token knows the session, and each asks the others by it.
        for worker in workers:
            async with session.get(worker.url("/patients/")) as response:
                answer = await response.json()
                assert {patient["patient_id"] for patient in answer["patients"]} == expected
                assert answer["workers_missing"] == []
            for patient in expected:
                async with session.get(worker.url(f"/patients/{patient}/")) as response:
                    assert (response.status, (await response.json())["patient_id"]) == (200, patient)
        async with session.get(workers[0].url("/alerts/")) as response:
            alerts = {alert["patient_id"]: alert["alert_id"] for alert in (await response.json())["alerts"]}
        severe = sorted(patient for patient in alerts if patient.startswith("severe-"))
        assert len(severe) == 8
        body = {"who": "nurse", "why": "called"}
        # Some of these are the second worker's, whom the first one asks.
        for patient in severe:
            path = f"/patients/{patient}/alerts/{alerts[patient]}/acknowledge/"
            async with session.post(path, json=body, headers={"Sec-Fetch-Site": "cross-site"}) as response:
                assert response.status == 403
            async with session.post(path, json=body, headers=FROM_PAGE) as response:
                assert response.status == 200, await response.text()
        async with session.delete("/session/", headers=FROM_PAGE) as response:
            assert response.status == 200
        async with session.get("/patients/") as response:
            assert response.status == 401
    await wait_until_drained(settings)
    known = {alert["patient_id"]: alert for alert in workers[1].get("/alerts/")["alerts"]}
    assert {known[patient]["acknowledged_by"] for patient in severe} == {"nurse"}
    records = await audited(settings)
    assert [record["subject"] for record in records] == [f"patient/{patient}" for patient in severe]
    assert {record["host"] for record in records} == {f"127.0.0.1:{worker.port}" for worker in workers}
    assert len({record["session"] for record in records}) == 1
    for record in records:
        assert (record["action"], record["who"], record["outcome"]) == ("acknowledge", "nurse", "done")
        assert (record["authenticated_by"], record["remote"]) == ("session", "127.0.0.1")
        passed_on = record["host"] != f"127.0.0.1:{workers[0].port}"
        assert record.get("forwarded_for") == ("127.0.0.1" if passed_on else None)
    secret = cookie.partition("=")[2].partition(";")[0]
    for told in [str(records), *(worker.log.read_text() for worker in workers)]:
        assert TOKEN not in told
        assert secret not in told
    assert "A sign-in with a wrong token came from 127.0.0.1." in workers[0].log.read_text()


async def test_every_action_is_audited_over_http_and_by_command(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker(BP_FAUST_WEB_TOKEN=TOKEN, BP_FAUST_POLICY="aha-2017")
    await produce(settings.kafka, settings.readings_topic, [oracle.envelope("p", 190, 125)])
    # Nothing is in the partitions behind this one's.
    await produce(settings.kafka, settings.readings_topic, [b"no json"], partition=0)
    await wait_until_drained(settings)
    (alert,) = worker.get("/alerts/")["alerts"]
    path = f"/patients/p/alerts/{alert['alert_id']}/acknowledge/"
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}", headers=BEARER) as session:
        for method, where, body, status in (
            ("PUT", "/patients/p/settings/", {"policy": "esc-2024"}, 200),
            ("PUT", "/patients/p/settings/", {"policy": "esc-2042"}, 422),
            ("DELETE", "/patients/p/settings/", None, 200),
            ("PUT", "/cohorts/ward/settings/", {"setting": "home"}, 200),
            ("DELETE", "/cohorts/ward/settings/", None, 200),
            ("POST", path, {"who": "nurse", "why": "called"}, 200),
            ("POST", path.replace(alert["alert_id"], "x"), {"who": "nurse", "why": "called"}, 404),
        ):
            async with session.request(method, where, json=body, headers={"X-Forwarded-For": "192.0.2.7"}) as response:
                assert response.status == status
    for command in (
        ("patient", "set", "q", "--policy", "esc-2024"),
        ("patient", "set", "q", "--clear"),
        ("alerts", "acknowledge", alert["alert_id"], "--why", "again"),
        ("alerts", "acknowledge", alert["alert_id"], "--why", "again", "--who", "doctor"),
        ("dlq", "replay", "--reason", "not-json", "--since", "2026-01-01"),
    ):
        ran = await asyncio.to_thread(settings.faust, *command)
        assert ran.returncode == 0, ran.stderr
    records = await audited(settings)
    told = [(record["action"], record.get("subject"), record["outcome"], record.get("details")) for record in records]
    replay = {"reasons": ["not-json"], "since": "2026-01-01T00:00:00Z"}
    assert told == [
        ("set", "patient/p", "done", {"policy": "esc-2024"}),
        ("remove", "patient/p", "done", None),
        ("set", "cohort/ward", "done", {"setting": "home"}),
        ("remove", "cohort/ward", "done", None),
        ("acknowledge", "patient/p", "done", {"alert_id": alert["alert_id"], "why": "called"}),
        ("set", "patient/q", "done", {"policy": "esc-2024"}),
        ("remove", "patient/q", "done", None),
        ("acknowledge", "patient/p", "done", {"alert_id": alert["alert_id"], "why": "again"}),
        ("acknowledge", "patient/p", "done", {"alert_id": alert["alert_id"], "why": "again"}),
        ("replay", None, "begun", replay),
        ("replay", None, "done", {**replay, "records": 1}),
    ]
    by_http, by_command = records[:5], records[5:]
    assert {(one["authenticated_by"], one["remote"], one["forwarded_for"], one["host"]) for one in by_http} == {
        ("token", "127.0.0.1", "192.0.2.7", f"127.0.0.1:{worker.port}")
    }
    assert {(one["authenticated_by"], one["user"], one["host"]) for one in by_command} == {
        ("operating system", getpass.getuser(), socket.gethostname())
    }
    assert [one.get("who") for one in records if one["action"] == "acknowledge"] == ["nurse", None, "doctor"]
    assert TOKEN not in str(records)
    await wait_until_drained(settings)
    # The first one took it; the others are noted all the same.
    assert worker.get("/patients/p/")["alerts"][0]["acknowledged_by"] == "nurse"
    assert await _configuration(settings.kafka, settings.audit_topic, "retention.ms") == "-1"


async def test_what_cannot_be_audited_is_not_done(settings: WorkerSettings, start_worker: StartWorker) -> None:
    worker = start_worker(BP_FAUST_WEB_TOKEN=TOKEN, BP_FAUST_POLICY="aha-2017")
    await produce(settings.kafka, settings.readings_topic, [oracle.envelope("p", 190, 125), b"no json"])
    await wait_until_drained(settings)
    (alert,) = worker.get("/alerts/")["alerts"]
    # From now on the broker refuses every audit record, and takes all else.
    await _configure(settings.kafka, settings.audit_topic, {"max.message.bytes": "100"})
    ingested = len(await read_all(settings.kafka, settings.readings_topic))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}", headers=BEARER) as session:
        for method, path, body in (
            ("PUT", "/patients/p/settings/", {"policy": "esc-2024"}),
            ("POST", f"/patients/p/alerts/{alert['alert_id']}/acknowledge/", {"who": "nurse", "why": "called"}),
        ):
            async with session.request(method, path, json=body) as response:
                assert response.status == 503
                assert settings.audit_topic in (await response.json())["error"]
    for command in (
        ("patient", "set", "p", "--policy", "esc-2024"),
        ("alerts", "acknowledge", alert["alert_id"], "--why", "called"),
        ("dlq", "replay"),
    ):
        ran = await asyncio.to_thread(settings.faust, *command)
        assert ran.returncode == 1
        (line,) = ran.stderr.splitlines()
        assert settings.audit_topic in line
    await produce(settings.kafka, settings.readings_topic, [oracle.envelope("q", 120, 70)])
    await wait_until_drained(settings)
    patient = worker.get("/patients/p/")
    assert (patient["settings"], patient["alerts"][0]["status"]) == (None, "open")
    assert await read_all(settings.kafka, settings.patient_settings_topic) == []
    assert await read_all(settings.kafka, settings.audit_topic) == []
    assert len(await read_all(settings.kafka, settings.readings_topic)) == ingested + 1


async def _configure(kafka: str, topic: str, settings: dict[str, str]) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    try:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])
    finally:
        await client.close()


async def _configuration(kafka: str, topic: str, name: str) -> str:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    try:
        (answer,) = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}[name]
    finally:
        await client.close()
