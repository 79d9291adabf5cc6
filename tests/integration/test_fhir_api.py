"""Readings come in over HTTP as FHIR servers send them, and are acknowledged only when Kafka has them."""

from __future__ import annotations

import asyncio
import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from bp_faust.fhir.resources import observation
from bp_faust.local.downloads import KAFKA, default_cache_dir, fetch
from bp_faust.local.kafka import KafkaBroker
from tests.kafka_client import read_all
from tests.pipeline import table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, free_port

StartWorker = Callable[..., WorkerProcess]

TOKEN = "correct-horse-battery-staple"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def ask(
    worker: WorkerProcess, method: str, path: str, body: Any = None, headers: dict[str, str] = AUTHORIZED
) -> tuple[int, dict[str, str], Any]:
    """Return status, headers and JSON of an answer."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        worker.url(path), data, {"Content-Type": "application/fhir+json", **headers}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as exc:
        return exc.code, dict(exc.headers), json.loads(exc.read())


async def test_observations_and_bundles_are_taken_with_the_token(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker(BP_FAUST_FHIR_TOKEN=TOKEN)
    high = observation("p1", 150, 95, identity="o1", effective="2026-01-01T08:00:00Z")

    status, headers, outcome = ask(worker, "POST", "/fhir/Observation", high)
    assert status == 201
    assert headers["Location"] == worker.url("/fhir/Observation/o1")
    assert headers["Content-Type"].startswith("application/fhir+json")
    OperationOutcome.model_validate(outcome)
    (record,) = await read_all(settings.kafka, settings.readings_topic)
    assert record.key == b"p1"

    assert ask(worker, "POST", "/fhir/Observation", high)[0] == 201  # a retry
    assert ask(worker, "PUT", "/fhir/Observation/o1", high)[0] == 200
    zipped = gzip.compress(json.dumps({**high, "id": "o2"}).encode())
    assert ask(worker, "POST", "/fhir/Observation", zipped, {**AUTHORIZED, "Content-Encoding": "gzip"})[0] == 201
    batch = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"resource": {**high, "id": "o3"}, "request": {"method": "POST", "url": "Observation"}},
            {"resource": {"resourceType": "Observation"}, "request": {"method": "POST", "url": "Observation"}},
        ],
    }
    status, _, answer = ask(worker, "POST", "/fhir", batch)
    assert status == 200
    assert [entry["response"]["status"] for entry in answer["entry"]] == ["201", "422"]
    await wait_until_drained(settings)
    assert table_counts(worker) == {"p1": {"Hypertension": 3}}

    withdrawn = {**high, "status": "entered-in-error"}
    assert ask(worker, "PUT", "/fhir/Observation/o1", withdrawn)[0] == 200
    await wait_until_drained(settings)
    assert table_counts(worker) == {"p1": {"Hypertension": 2}}

    before = len(await read_all(settings.kafka, settings.readings_topic))
    for status, method, path, body, headers in (
        (401, "POST", "/fhir/Observation", high, {}),
        (401, "POST", "/fhir/Observation", high, {"Authorization": "Bearer wrong"}),
        (401, "POST", "/fhir", batch, {"Authorization": f"Basic {TOKEN}"}),
        (415, "POST", "/fhir/Observation", high, {**AUTHORIZED, "Content-Type": "text/xml"}),
        (400, "POST", "/fhir/Observation", b"{", AUTHORIZED),
        (400, "POST", "/fhir/Observation", batch, AUTHORIZED),
        (400, "POST", "/fhir", high, AUTHORIZED),
        (400, "PUT", "/fhir/Observation/other", high, AUTHORIZED),
        (422, "POST", "/fhir/Observation", {**high, "status": "fine"}, AUTHORIZED),
        (413, "POST", "/fhir/Observation", b" " * (11 << 20), AUTHORIZED),
        (413, "POST", "/fhir/Observation", {**high, "note": [{"text": "x" * (2 << 20)}]}, AUTHORIZED),
    ):
        found = ask(worker, method, path, body, headers)
        assert found[0] == status, found
        OperationOutcome.model_validate(found[2])
    assert len(await read_all(settings.kafka, settings.readings_topic)) == before

    status, _, statement = ask(worker, "GET", "/fhir/metadata", headers={})
    assert status == 200
    CapabilityStatement.model_validate(statement)


def test_it_is_off_without_a_token(settings: WorkerSettings, start_worker: StartWorker) -> None:
    worker = start_worker()
    for method, path in (("POST", "/fhir"), ("POST", "/fhir/Observation"), ("GET", "/fhir/metadata")):
        assert ask(worker, method, path, b"{}" if method == "POST" else None)[0] == 404


async def test_nothing_is_acknowledged_that_kafka_does_not_have(
    settings: WorkerSettings, start_worker: StartWorker, tmp_path: Path
) -> None:
    port = free_port()
    settings.kafka = f"127.0.0.1:{port}"
    broker = KafkaBroker(tmp_path / "kafka", fetch(KAFKA, default_cache_dir()), port)
    broker.start()
    try:
        worker = await asyncio.to_thread(start_worker, BP_FAUST_FHIR_TOKEN=TOKEN)
    finally:
        broker.stop()
    high = observation("p1", 150, 95, identity="o1")
    status, headers, outcome = await asyncio.to_thread(ask, worker, "POST", "/fhir/Observation", high)
    assert status == 503
    assert headers["Retry-After"]
    assert outcome["issue"][0]["code"] == "transient"
