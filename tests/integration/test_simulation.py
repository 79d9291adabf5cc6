"""Simulated patients come out of the worker as they are meant to."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import orjson

from bp_faust.fhir import parse
from bp_faust.fhir.flags import IMPLAUSIBLE
from bp_faust.models import Reading
from tests.kafka_client import read_all
from tests.pipeline import DRAINED_SECONDS, eventually, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]

FAULTY = """
id: faulty
title: Much goes wrong
setting: home
errors: {one_missing: 0.2, both_missing: 0.1, kilopascals: 0.1, mistyped: 0.2, wrong_patient: 0.2}
"""


async def test_readings_that_go_wrong_and_are_put_right_are_counted_right(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    (settings.directory / "faulty.yaml").write_text(FAULTY)
    worker = await asyncio.to_thread(start_worker)
    options = ["--scenario", "faulty.yaml", "--from", "2026-11-01", "--days", "10"]
    sent = await asyncio.to_thread(settings.faust, "produce", *options)
    assert sent.returncode == 0, sent.stderr
    await wait_until_drained(settings)

    latest: dict[str | None, Reading] = {}
    refused: Counter[str] = Counter()
    for record in await read_all(settings.kafka, settings.readings_topic):
        (outcome,) = parse(record.value)
        if not isinstance(outcome, Reading):
            refused[outcome.reason] += 1
        elif (known := latest.get(outcome.observation_id)) is None or (known.version or "") < (outcome.version or ""):
            latest[outcome.observation_id] = outcome
    assert {reading.status for reading in latest.values()} == {"final", "amended", "corrected", "entered-in-error"}
    assert refused.keys() == {"no-value"}

    answer = await asyncio.to_thread(worker.get, "/patients/")
    counted = {patient["patient_id"]: patient["readings"] for patient in answer["patients"]}
    standing = (one for one in latest.values() if one.status != "entered-in-error" and IMPLAUSIBLE not in one.flags)
    assert counted == Counter(one.patient_id for one in standing)
    await eventually(lambda: worker.get("/refusals/")["refusals"] == refused)


async def test_a_short_interval_sends_several_readings_at_a_time(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    """In the time zone of the worker, and none of them twice."""
    environment = {"BP_FAUST_SIMULATION_INTERVAL": "0.01", "BP_FAUST_DEFAULT_TIME_ZONE": "Africa/Nairobi"}
    await asyncio.to_thread(lambda: start_worker(**environment))
    deadline = time.monotonic() + DRAINED_SECONDS
    while len(records := await read_all(settings.kafka, settings.readings_topic)) < 300:
        assert time.monotonic() < deadline, f"Only {len(records)} readings"
    observations = [orjson.loads(record.value)["observation"] for record in records]
    assert all(one["effectiveDateTime"].endswith("+03:00") for one in observations)
    assert len({(one["id"], one["meta"]["versionId"]) for one in observations}) == len(observations)
