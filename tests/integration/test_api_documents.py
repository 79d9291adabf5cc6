"""What a running worker answers, and what is on its topics, is as its own documents describe it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatch
from typing import Any

import aiohttp
from jsonschema import Draft202012Validator

from bp_faust.fhir.resources import observation
from tests import oracle
from tests.kafka_client import produce, read_all
from tests.pipeline import eventually, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]

TOKEN = "a-token-for-tests-only"
FHIR_TOKEN = "another-one-for-fhir"
PATIENT = "patient-1"
READING = observation(PATIENT, 150, 95, identity="o1", effective="2026-01-01T08:00:00Z")

#: What stands in the places of paths, by place; where one path needs another, by path and place.
PLACES = {"patient_id": PATIENT, "identity": "o1", "name": "ward-3", "/web/{name} name": "page.js"}

#: The bodies of requests, by method and path.
BODIES = {
    ("post", "/session/"): {"token": TOKEN},
    ("put", "/patients/{patient_id}/settings/"): {"policy": "aha-2017", "thresholds": {"systolic_above": 130}},
    ("put", "/cohorts/{name}/settings/"): {"pregnant": True},
    ("post", "/patients/{patient_id}/alerts/{alert_id}/acknowledge/"): {"who": "Nurse Joy", "why": "On my way."},
    ("post", "/refusals/records/{partition}/{offset}/mend/"): READING,
    ("post", "/fhir"): {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": READING}]},
    ("post", "/fhir/Observation"): READING,
    ("put", "/fhir/Observation/{identity}"): READING,
}


class Described:
    """Hold a document, and compare with it what was seen."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def check(self, schema: dict[str, Any], value: Any, what: str) -> None:
        """Fail where a value is not as a schema says."""
        validator = Draft202012Validator({**schema, "components": self.document["components"]})
        wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
        assert not wrong, f"{what} is not as described: {wrong[:5]}"

    def check_answer(
        self, method: str, path: str, status: int, media_type: str, body: bytes, *, is_error: bool = False
    ) -> None:
        """Fail where an answer is none of those that an operation is said to give."""
        responses = self.document["paths"][path][method]["responses"]
        what = f"What {method.upper()} {path} answers with status {status}"
        assert (str(status) not in responses) is is_error, f"{what} was not expected: {body[:300]!r}"
        content = responses.get(str(status), responses["default"])["content"]
        schema = next((one["schema"] for kind, one in content.items() if fnmatch(media_type, kind)), None)
        assert schema is not None, f"{what} is {media_type}, which is none of {list(content)}"
        self.check(schema, json.loads(body) if media_type.endswith("json") else body.decode(), what)


def place(path: str, places: dict[str, str]) -> str:
    """Return a path with something in each of its places."""
    for parameter in [part.partition("}")[0] for part in path.split("{")[1:]]:
        value = places.get(f"{path} {parameter}", places.get(parameter))
        assert value is not None, f"Say in PLACES what to put in the place of {{{parameter}}} in {path}."
        path = path.replace(f"{{{parameter}}}", value)
    return path


async def ask_all(session: aiohttp.ClientSession, described: Described, places: dict[str, str]) -> None:
    """Ask for everything that is described, and look whether it is answered so."""
    operations = [
        (method, path, declared)
        for method in ("get", "post", "put", "delete")
        for path, item in described.document["paths"].items()
        if (declared := item.get(method)) is not None
    ]
    for method, path, declared in operations:
        assert ("requestBody" in declared) is ((method, path) in BODIES), f"Give {method.upper()} {path} one in BODIES."
        headers = {"Authorization": f"Bearer {FHIR_TOKEN if path.startswith('/fhir') else TOKEN}"}
        body = BODIES.get((method, path))
        async with session.request(method, place(path, places), json=body, headers=headers) as response:
            if response.content_type == "text/event-stream":
                continue  # it goes on for ever; what it sends has tests of its own
            answer = (response.status, response.content_type, await response.read())
            described.check_answer(method, path, *answer)


async def test_answers_and_records_are_as_the_worker_describes_them(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = await asyncio.to_thread(
        start_worker,
        BP_FAUST_WEB_TOKEN=TOKEN,
        BP_FAUST_FHIR_TOKEN=FHIR_TOKEN,
        BP_FAUST_FHIR_OUTPUT="true",
        BP_FAUST_POLICY="aha-2017",
    )
    now = datetime.now(timezone.utc)
    grave = oracle.envelope(PATIENT, 190, 125, effective=(now - timedelta(hours=1)).isoformat(timespec="seconds"))
    records = [grave, *oracle.random_envelopes(200, patients=10, seed=41), {"resourceType": "Patient"}, b"{"]
    await produce(settings.kafka, settings.readings_topic, records)
    await wait_until_drained(settings)
    await eventually(lambda: bool(worker.get("/alerts/")["alerts"]))
    refused = worker.get("/refusals/records/")["records"][0]["dead_letter"]
    places = {
        **PLACES,
        "alert_id": worker.get(f"/patients/{PATIENT}/")["alerts"][0]["alert_id"],
        **{name: str(number) for name, number in refused.items()},
    }
    described = Described(worker.get("/openapi.json"))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}") as session:
        await ask_all(session, described, places)
        for path, headers in (
            ("/patients/{patient_id}/", {"Authorization": f"Bearer {TOKEN}"}),
            ("/patients/{patient_id}/", {}),
            ("/fhir/metadata", {}),
        ):
            async with session.get(place(path, {"patient_id": "nobody"}), headers=headers) as response:
                seen = (response.status, response.content_type, await response.read())
                described.check_answer("get", path, *seen, is_error=True)
    await wait_until_drained(settings)
    await check_records(settings, Described(worker.get("/asyncapi.json")))


async def check_records(settings: WorkerSettings, described: Described) -> None:
    """Look whether there is something on every topic, as it is described."""
    for name, channel in described.document["channels"].items():
        message = described.document["components"]["messages"][name]
        found = await read_all(settings.kafka, channel["address"])
        assert found, f"Nothing came on {channel['address']}."
        for record in found:
            what = f"{channel['address']}/{record.partition}/{record.offset}"
            if "headers" in message:
                ours = {key: value.decode() for key, value in record.headers if key.startswith("bp_faust.")}
                described.check({**message["headers"], "unevaluatedProperties": False}, ours, f"{what}'s headers")
            if "payload" in message and record.value != b"{":
                value = json.loads(record.value) if record.value is not None else None
                described.check(message["payload"], value, what)
