"""No name, id or secret that is planted anywhere comes out in a log, a metric or Elasticsearch."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import urllib.parse
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from elasticsearch import AsyncElasticsearch

from bp_faust.pseudonyms import PREFIX
from tests import oracle
from tests.kafka_client import produce, read_all
from tests.pipeline import eventually, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, free_port

StartWorker = Callable[..., WorkerProcess]

#: Stands in all that is of a patient; a log may hold neither it nor a part of it in another case.
PATIENT = "CanaryDoe"
#: Stands in all that is secret.
SECRET = "CanarySecret"

FHIR_TOKEN, WEB_TOKEN = f"{SECRET}-fhir-token", f"{SECRET}-web-token"
PSEUDONYM_KEY = f"{SECRET}-pseudonym-key-of-32-characters"

ALL_SECRETS = {
    "BP_FAUST_FHIR_TOKEN": FHIR_TOKEN,
    "BP_FAUST_WEB_TOKEN": WEB_TOKEN,
    "BP_FAUST_PSEUDONYM_KEY": PSEUDONYM_KEY,
    "BP_FAUST_ELASTICSEARCH_USERNAME": "elastic",
    "BP_FAUST_ELASTICSEARCH_PASSWORD": f"{SECRET}-password",
    "BP_FAUST_POLICY": "aha-2017",
    "BP_FAUST_FHIR_OUTPUT": "true",
}


def receivers(port: int) -> dict[str, str]:
    """Return the settings of receivers of alerts, whose addresses hold secrets, on a port."""
    return {
        "BP_FAUST_NOTIFY_URLS": f"json://ward:{SECRET}-webhook@127.0.0.1:{port}/{SECRET}-path?+X-Token={SECRET}-header,"
        f"mailto://ward:{SECRET}-mail@127.0.0.1:{port}?to=ward@example.org&from=bp@example.org",
        "BP_FAUST_FHIR_SUBSCRIBER_URL": f"http://user:{SECRET}-subscriber@127.0.0.1:{port}/fhir?token={SECRET}-query",
    }


@asynccontextmanager
async def refusing() -> AsyncIterator[int]:
    """Give the port of a web server that answers 401 to all, and shows what it was sent."""

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=401, text=f"No {request.url} {request.headers} {await request.text()}")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", refuse)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def reading(number: int, systolic: float, diastolic: float, hours: float, **fields: Any) -> dict[str, Any]:
    """Return a reading made so many hours before now, with a canary wherever something of a patient may stand."""
    effective = (datetime.now(timezone.utc) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = oracle.envelope(
        f"{PATIENT}-{number}", systolic, diastolic, identity=f"{PATIENT}-o-{number}-{hours}", effective=effective
    )
    found["patient"].update(
        {
            "identifier": [{"system": "urn:mrn", "value": f"{PATIENT}-mrn"}],
            "name": [{"family": f"{PATIENT}-family", "given": [f"{PATIENT}-given"], "text": f"{PATIENT}"}],
            "telecom": [{"system": "phone", "value": f"{PATIENT}-phone"}],
            "birthDate": "1950-06-15",
        }
    )
    found["observation"].update(
        {
            "identifier": [{"value": f"{PATIENT}-observation"}],
            "device": {"display": f"{PATIENT}-device"},
            "performer": [{"display": f"{PATIENT}-performer"}],
            "note": [{"text": f"{PATIENT}-note"}],
            **fields,
        }
    )
    return found


def bad_records() -> Iterator[Any]:
    """Yield records that are refused, each for another reason, with canaries in them."""
    good = reading(1, 150, 95, 9)
    text = json.dumps(good).encode()
    yield b"{" + f'"{PATIENT}": '.encode()
    yield text[:-30]
    yield b"\xff\xfe" + text
    yield PATIENT.encode()
    yield f'"{PATIENT}"'.encode()
    yield [PATIENT]
    yield b"\x1f\x8b" + text
    yield {"resourceType": PATIENT}
    yield {"resourceType": "Patient", "id": PATIENT}
    yield {"patient": PATIENT, "observation": PATIENT}
    yield {"resourceType": "Bundle", "type": PATIENT, "entry": [{"resource": good["patient"]}, {"resource": PATIENT}]}
    for field, value in {
        "status": PATIENT,
        "id": {PATIENT: PATIENT},
        "code": {"coding": [{"system": "http://loinc.org", "code": PATIENT}], "text": PATIENT},
        "component": [{"code": PATIENT, "valueQuantity": PATIENT}],
        "effectiveDateTime": PATIENT,
        "subject": {"reference": f"Group/{PATIENT}"},
        "meta": {"versionId": [PATIENT], "lastUpdated": PATIENT},
        "dataAbsentReason": {"text": PATIENT},
        PATIENT: PATIENT,
    }.items():
        yield reading(2, 150, 95, 9, **{field: value})
    for quantity in (
        {"value": PATIENT},
        {"value": 150, "unit": PATIENT},
        {"value": 150, "code": PATIENT, "system": "http://unitsofmeasure.org"},
        {"value": 150, "comparator": PATIENT, "unit": "mmHg"},
        {PATIENT: PATIENT},
    ):
        one = reading(3, 150, 95, 9)
        one["observation"]["component"][0]["valueQuantity"] = quantity
        yield one
    other = reading(4, 150, 95, 9)
    other["observation"]["subject"] = {"reference": f"Patient/{PATIENT}-other", "display": PATIENT}
    yield other


async def ask_everything(worker: WorkerProcess) -> None:
    """Send requests with canaries in path, query, headers and body, with the right tokens, wrong ones and none."""
    requests: list[tuple[str, str, bytes | None]] = [
        ("GET", f"/patients/?{PATIENT}={PATIENT}", None),
        ("GET", f"/patients/{PATIENT}-1/", None),
        ("GET", f"/patients/{PATIENT}%2F%00%ff/", None),
        ("GET", f"/{PATIENT}/{PATIENT}?token={SECRET}", None),
        ("PUT", f"/patients/{PATIENT}-1/settings/", json.dumps({"policy": PATIENT}).encode()),
        ("PUT", f"/patients/{PATIENT}-1/settings/", PATIENT.encode()),
        ("PUT", f"/patients/{PATIENT}-1/settings/", b'{"measure_every_days": 1}'),
        ("PUT", f"/cohorts/{PATIENT}/settings/", b'{"policy": "esc-2024"}'),
        ("POST", f"/patients/{PATIENT}-1/alerts/{PATIENT}/acknowledge/", f'{{"who": "{PATIENT}"}}'.encode()),
        ("POST", f"/patients/{PATIENT}-1/alerts/{PATIENT}/acknowledge/", b'{"who": "a", "why": "b"}'),
        ("GET", f"/refusals/records/?before={PATIENT}&reason={PATIENT}", None),
        ("GET", "/refusals/records/0/0/", None),
        ("POST", "/refusals/records/0/0/mend/", PATIENT.encode()),
        ("POST", f"/refusals/records/{PATIENT}/0/replay/", None),
        ("POST", "/fhir/Observation", json.dumps(reading(5, 150, 95, 9)["observation"]).encode()),
        ("POST", "/fhir/Observation", PATIENT.encode()),
        ("PUT", f"/fhir/Observation/{PATIENT}", json.dumps(reading(5, 150, 95, 9)["observation"]).encode()),
        ("POST", "/fhir", json.dumps({"resourceType": "Bundle", "type": PATIENT}).encode()),
        ("DELETE", f"/fhir/Observation/{PATIENT}", None),
    ]
    credentials = [
        None,
        f"Bearer {FHIR_TOKEN}",
        f"Bearer {WEB_TOKEN}",
        f"Bearer {SECRET}-wrong",
        f"{SECRET}",
        "Basic x",
    ]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}") as session:
        for method, path, body in requests:
            for given in credentials:
                headers = {"X-Patient": PATIENT, "Cookie": f"patient={PATIENT}; token={SECRET}"}
                if given is not None:
                    headers["Authorization"] = given
                async with session.request(method, path, data=body, headers=headers) as response:
                    await response.read()
                    assert response.status < 500, (method, path, response.status)
    for line in (
        f"{PATIENT} /{PATIENT} HTTP/1.1\r\n\r\n",
        f"GET /{PATIENT} {PATIENT}\r\n\r\n",
        f"GET /{PATIENT} HTTP/1.1\r\n{PATIENT} {SECRET}\r\n\r\n",
        f"POST /fhir HTTP/1.1\r\nHost: {PATIENT}\r\nContent-Length: {PATIENT}\r\n\r\n",
        f"POST /fhir HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {FHIR_TOKEN}\r\nContent-Length: 900\r\n\r\n{PATIENT}",
    ):
        await asyncio.to_thread(_send_raw, worker.port, line.encode())


def _send_raw(port: int, request: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def assert_private(text: str, *canaries: str) -> None:
    """Fail with the lines that hold a canary: as it is, in another case, or as HTTP and bytes may show it."""
    shapes = {shape for one in canaries for shape in (one.lower(), urllib.parse.quote(one).lower(), one.encode().hex())}
    leaking = [line for line in text.splitlines() if any(shape in line.lower() for shape in shapes)]
    assert not leaking, "\n".join(leaking[:20])


async def found_in_elasticsearch(settings: WorkerSettings) -> list[Any]:
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        found = []
        for index in (settings.index, settings.alerts_index, settings.refusals_index):
            await client.indices.refresh(index=index)
            found += (await client.search(index=index, size=1000, version=True))["hits"]["hits"]
        return found


async def run_through(worker: WorkerProcess, settings: WorkerSettings) -> None:
    """Give a worker all that may go wrong, and see it through."""
    await produce(settings.kafka, settings.readings_topic, bad_records(), key=PATIENT.encode())
    good = [reading(1, 190, 125, 5), reading(1, 110, 70, 2), reading(6, 80, 50, 4), reading(7, 185, 100, 3)]
    await produce(settings.kafka, settings.readings_topic, good, key=PATIENT.encode())
    topic = settings.patient_settings_topic
    for key, value in (
        (f"patient/{PATIENT}-8", b'{"measure_every_days": 1}'),
        (f"patient/{PATIENT}", json.dumps({"policy": {PATIENT: 1}}).encode()),
        (f"patient/{PATIENT}", json.dumps({PATIENT: PATIENT}).encode()),
        (PATIENT, PATIENT.encode()),
    ):
        long_ago = int((datetime.now(timezone.utc) - timedelta(days=3)).timestamp() * 1000)
        await produce(settings.kafka, topic, [value], key=key.encode(), timestamp_ms=long_ago)
    # Others may write on topics that are for everyone: Elasticsearch refuses the first, nobody can read the second.
    wrong_time = {"patient_id": PATIENT, "observation_id": PATIENT, "anomaly_type": PATIENT, "timestamp": PATIENT}
    await produce(
        settings.kafka,
        settings.anomalies_topic,
        [{**wrong_time, "systolic_pressure": 1, "diastolic_pressure": 1}, {**wrong_time, "systolic_pressure": PATIENT}],
        key=PATIENT.encode(),
    )
    await produce(settings.kafka, settings.alerts_topic, [{"alert_id": PATIENT}], key=PATIENT.encode())
    await produce(settings.kafka, settings.dead_letters_topic, [PATIENT.encode()], key=PATIENT.encode())
    await eventually(lambda: len(worker.get("/patients/")["patients"]) >= 4)
    await ask_everything(worker)
    worker.process.send_signal(signal.SIGUSR1)


@pytest.fixture
def log(settings: WorkerSettings) -> Callable[[], str]:
    """Give a function that returns all that the workers of a test have logged."""
    return lambda: "\n".join(path.read_text(errors="replace") for path in sorted(settings.directory.glob("*.log")))


async def test_no_planted_name_id_or_secret_is_logged(
    settings: WorkerSettings, start_worker: StartWorker, log: Callable[[], str]
) -> None:
    nobody = free_port()
    # Elasticsearch is away, its address holds a password, and nobody takes messages.
    worker = start_worker(
        **{**ALL_SECRETS, **receivers(nobody)},
        BP_FAUST_ELASTICSEARCH_URL=f"http://elastic:{SECRET}-url@127.0.0.1:{nobody}",
        BP_FAUST_ELASTICSEARCH_API_KEY=f"{SECRET}-api-key",
        BP_FAUST_CLOCK_INTERVAL="0.5",
    )
    await run_through(worker, settings)
    await eventually(lambda: log().count("A message of alert") >= 3)
    await eventually(lambda: f"Elasticsearch at http://127.0.0.1:{nobody} cannot be used" in log())
    await eventually(lambda: "in _on_sigusr1" in log())
    assert worker.stop() == 0

    # Elasticsearch is there, receivers refuse, tables are rebuilt from Kafka.
    shutil.rmtree(worker.data_dir)
    async with refusing() as port:
        again = start_worker("again", **{**ALL_SECRETS, **receivers(port)}, BP_FAUST_LOG_FORMAT="json")
        await wait_until_drained(settings)
        await produce(settings.kafka, settings.readings_topic, [reading(9, 200, 130, 1)], key=PATIENT.encode())
        await wait_until_drained(settings)
        metrics = again.text("/metrics")
        refused = again.get("/refusals/")["refusals"]
        explained = again.get("/refusals/reasons/")["reasons"]
        held = await found_in_elasticsearch(settings)
        assert again.get(f"/patients/{PATIENT}-1/")["readings"] == 2
        # A record that no version of the program has written ends the worker.
        broken = b"\x01\x82\xa4type\xa9CanaryDoe"
        await produce(settings.kafka, f"{settings.app_id}-readings", [broken], key=b"signal")
        assert await asyncio.to_thread(again.process.wait, 60) != 0

    # It all happened.
    assert {"elasticsearch-400", "not-an-anomaly", "not-an-alert", "settings-invalid"} <= set(refused)
    assert len(refused) >= 12
    assert set(refused) <= set(explained)
    assert "The worker stops: ValidationError" in log()
    letters = await read_all(settings.kafka, settings.dead_letters_topic)
    assert any(PATIENT.encode() in (record.value or b"") for record in letters)
    assert {hit["_index"] for hit in held} == {settings.index, settings.alerts_index, settings.refusals_index}

    assert_private(log(), PATIENT, SECRET)
    assert_private(metrics, PATIENT, SECRET)
    assert_private(json.dumps(held), PATIENT, SECRET)
    of_patients = [hit["_source"] for hit in held if hit["_index"] != settings.refusals_index]
    assert all(document["patient_id"].startswith(PREFIX) for document in of_patients)


async def test_not_even_at_debug_is_a_secret_logged(settings: WorkerSettings, log: Callable[[], str]) -> None:
    class DebugWorker(WorkerProcess):
        log_level = "debug"

    async with refusing() as port:
        worker = DebugWorker(settings, "worker", {**ALL_SECRETS, **receivers(port)})
        try:
            worker.wait_until_ready()
            await run_through(worker, settings)
            await eventually(lambda: log().count("A message of alert") >= 2)
            await wait_until_drained(settings)
            assert worker.stop() == 0
        finally:
            worker.end()
    assert "[debug" in log()
    assert_private(log(), SECRET)


def test_commands_tell_errors_without_records_or_secrets(settings: WorkerSettings, tmp_path: Path) -> None:
    file = tmp_path / "records.ndjson"
    records = [reading(1, 150, 95, 9), *bad_records()]
    file.write_bytes(b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in records))
    nobody = free_port()
    secrets = {**ALL_SECRETS, **receivers(nobody)}
    for arguments in (("produce", "--file", str(file)), ("backtest", "--policy", "esc-2024", "--file", str(file))):
        ran = settings.faust(*arguments, **secrets)
        assert ran.stdout or ran.stderr
        assert_private(ran.stdout + ran.stderr, PATIENT, SECRET)
    secrets["BP_FAUST_BROKER_URL"] = f"kafka://127.0.0.1:{nobody}"
    for arguments in (("produce", "--file", str(file)), ("dlq", "list"), ("patient", "show"), ("alerts", "list")):
        ran = settings.faust(*arguments, **secrets)
        assert ran.returncode == 1
        assert ran.stderr.startswith("Error: ")
        assert_private(ran.stdout + ran.stderr, SECRET)
    for name in ("FHIR_TOKEN", "WEB_TOKEN", "PSEUDONYM_KEY"):
        ran = settings.faust("worker", **{**secrets, f"BP_FAUST_{name}": SECRET})
        assert ran.returncode
        assert f"BP_FAUST_{name} is set, but" in ran.stderr
        assert_private(ran.stdout + ran.stderr, SECRET)
    for name, wrong in (
        ("ELASTICSEARCH_URL", f"http://elastic:{SECRET}@localhost:port"),
        ("NOTIFY_URLS", f"nothing://user:{SECRET}@localhost"),
    ):
        ran = settings.faust("worker", **{**secrets, f"BP_FAUST_{name}": wrong})
        assert ran.returncode
        assert_private(ran.stdout + ran.stderr, SECRET)
