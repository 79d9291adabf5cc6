"""Answer for the patients: as JSON, and as a first page."""

from __future__ import annotations

import asyncio
from collections import Counter
from importlib import resources
from typing import Any

import orjson
from aiohttp import ClientError, ClientTimeout
from faust.web import Request, Response, View
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from yarl import URL

from bp_faust.app import app
from bp_faust.clinical.state import timestamp
from bp_faust.engine.partitioner import partition_of
from bp_faust.models import Entry, PatientState
from bp_faust.tables import (
    entries,
    local_patients,
    local_refusals,
    observation_of,
    patient_key,
    patient_states,
    patients,
    reading_prefix,
)

#: How long other workers may take to tell of their patients, in seconds.
_PEER_SECONDS = 3.0

#: How many of a patient's readings are shown, the latest first.
_READINGS_SHOWN = 100


def patient_summary(patient_id: str, state: PatientState) -> dict[str, Any]:
    """Return what the list of patients says of one of them."""
    latest: dict[str, Any] | None = None
    if state.latest is not None:
        latest = {
            "observation_id": state.latest.observation_id,
            "systolic_pressure": state.latest.systolic,
            "diastolic_pressure": state.latest.diastolic,
            "anomaly_type": state.latest.anomaly_type,
            "timestamp": timestamp(state.latest.time),
        }
    return {
        "patient_id": patient_id,
        "readings": state.readings,
        "anomalies": state.anomalies,
        "implausible": state.implausible,
        "latest": latest,
    }


def _reading(observation_id: str, entry: Entry) -> dict[str, Any]:
    return {
        "observation_id": observation_id,
        "systolic_pressure": entry.systolic,
        "diastolic_pressure": entry.diastolic,
        "timestamp": timestamp(entry.time),
        "anomaly_type": entry.anomaly_type,
        "counted": entry.counted,
        "flags": entry.flags,
    }


@app.page("/patients/", name="patients")
class PatientList(View):
    """List all patients with their counts."""

    async def get(self, request: Request) -> Response:
        """Return this worker's patients and, unless ``?local`` is given, those of all other workers."""
        found = [patient_summary(patient_id, state) for patient_id, state in local_patients()]
        answers, missing = await _ask_peers(request, "/patients/")
        for answer in answers:
            found += answer["patients"]
        found.sort(key=lambda patient: patient["patient_id"])
        return self.json({"patients": found, "workers_missing": missing})


@app.page("/refusals/", name="refusals")
class Refusals(View):
    """Tell how many records were refused, by reason."""

    async def get(self, request: Request) -> Response:
        """Return the counts of this worker and, unless ``?local`` is given, of all other workers together."""
        found = Counter(local_refusals())
        answers, missing = await _ask_peers(request, "/refusals/")
        for answer in answers:
            found.update(answer["refusals"])
        return self.json({"refusals": dict(found.most_common()), "workers_missing": missing})


async def _ask_peers(request: Request, path: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what the other workers answer for themselves, and the addresses of those that do not; none if ?local."""
    if "local" in request.query:
        return [], []
    own = URL(app.conf.canonical_url).authority
    urls = (URL(host) for host in app.router.tables_metadata())
    peers = [url for url in urls if url.authority and url.authority != own]
    answers = await asyncio.gather(*(_ask(peer.with_path(path).with_query("local")) for peer in peers))
    missing = [str(peer) for peer, answer in zip(peers, answers, strict=True) if answer is None]
    return [answer for answer in answers if answer is not None], missing


async def _ask(url: URL) -> dict[str, Any] | None:
    try:
        async with app.http_client.get(url, timeout=ClientTimeout(_PEER_SECONDS)) as response:
            if response.status != 200:
                return None
            told: dict[str, Any] = orjson.loads(await response.read())
            return told
    except (ClientError, TimeoutError, asyncio.TimeoutError, ValueError):
        return None


@app.page("/patients/{patient_id}/", name="patient")
class PatientDetail(View):
    """Tell of one patient."""

    @app.table_route(table=patients, match_info="patient_id")
    async def get(self, request: Request, patient_id: str) -> Response:
        """Return a patient's counts and latest readings, from whichever worker has the patient."""
        partition = partition_of(patient_id, app.conf.topic_partitions)
        store = patients.store
        if not store.is_active(partition):
            return self.error(503, "The patient's partition is being taken over; try again in a moment.")
        value = store.get_many(partition, [patient_key(patient_id)])[0]
        if value is None:
            return self.error(404, "No reading of this patient has been seen.")
        prefix = reading_prefix(patient_id)
        found = [(observation_of(key, prefix), entries.decode(entry)) for key, entry in store.scan(partition, prefix)]
        found.sort(key=lambda pair: pair[1].time, reverse=True)
        shown = [_reading(observation_id, entry) for observation_id, entry in found[:_READINGS_SHOWN]]
        summary = patient_summary(patient_id, patient_states.decode(value))
        return self.json({**summary, "latest_readings": shown})


@app.page("/", name="page")
class Page(View):
    """Show the patients to people."""

    async def get(self, request: Request) -> Response:
        """Return the page; it asks for ``/patients/`` by itself."""
        return self.html((resources.files("bp_faust") / "web" / "index.html").read_text("utf-8"))


@app.page("/metrics", name="metrics")
class Metrics(View):
    """Tell Prometheus what this worker has done."""

    async def get(self, request: Request) -> Response:
        """Return the counters of this process, in Prometheus' text format."""
        return self.bytes(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@app.page("/livez", name="livez")
class Alive(View):
    """Tell that the process answers."""

    async def get(self, request: Request) -> Response:
        """Return 200."""
        return self.json({"status": "alive"})


@app.page("/readyz", name="readyz")
class Ready(View):
    """Tell whether the worker has its partitions and is at work on them."""

    async def get(self, request: Request) -> Response:
        """Return 200 where it is ready, 503 where it is starting, recovering or stopping."""
        if app.is_ready:
            return self.json({"status": "ready"})
        return self.json({"status": "not ready"}, status=503)
