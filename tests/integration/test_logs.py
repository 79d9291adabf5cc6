"""What a worker does is in its log, an event a line; as JSON all of it, and with fields."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from tests import oracle
from tests.fault_proxy import FaultProxy
from tests.kafka_client import produce
from tests.pipeline import eventually, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, free_port

StartWorker = Callable[..., WorkerProcess]

TOKEN = "a-token-for-tests-only"
JSON = {"BP_FAUST_LOG_FORMAT": "json", "BP_FAUST_WEB_TOKEN": TOKEN}


def told(worker: WorkerProcess) -> list[dict[str, Any]]:
    """Return all events of a log, each line of which is one."""
    found = [json.loads(line) for line in worker.log.read_text().splitlines()]
    for event in found:
        assert {"timestamp", "level", "logger", "event"} <= event.keys(), event
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event["timestamp"]), event
    return found


def events(worker: WorkerProcess, beginning: str) -> Iterator[dict[str, Any]]:
    """Yield the events whose text begins like this, whichever service of the worker tells them."""
    for event in told(worker):
        if re.match(rf"(\[.*?\]: )?{re.escape(beginning)}", event["event"]):
            yield event


async def seen(worker: WorkerProcess, beginning: str) -> dict[str, Any]:
    """Wait for an event, and return the first one."""
    await eventually(lambda: any(events(worker, beginning)), 60)
    return next(events(worker, beginning))


async def test_as_json_every_line_is_an_event_with_its_fields(
    settings: WorkerSettings, start_worker: StartWorker, elasticsearch_url: str
) -> None:
    async with FaultProxy(elasticsearch_url) as proxy:
        settings.elasticsearch_url = proxy.url
        worker = await asyncio.to_thread(start_worker, **JSON)
        started = await seen(worker, "The worker starts.")
        assert started["id"] == settings.app_id
        assert (await seen(worker, "Assigned: "))["assigned"][settings.readings_topic] == [0, 1, 2, 3]
        await seen(worker, "Ready: ")
        assert (await seen(worker, f"The index {settings.index} is ready."))["index"] == settings.index

        await produce(settings.kafka, settings.readings_topic, [b"{", *oracle.random_envelopes(100, 10, seed=51)])
        await wait_until_drained(settings)
        refused = await seen(worker, "Refused records went to the dead letters")
        assert (refused["topic"], refused["refused"], refused["reasons"]) == (
            settings.readings_topic,
            1,
            {"not-json": 1},
        )
        assert {"partition", "offset"} <= refused.keys()

        await proxy.refuse()
        await produce(settings.kafka, settings.readings_topic, oracle.random_envelopes(100, 10, seed=52))
        away = await seen(worker, f"Elasticsearch at {proxy.url} cannot be used")
        assert away["level"] == "warning"
        assert away["index"] in (settings.index, settings.alerts_index)
        await proxy.heal()
        assert (await seen(worker, f"Elasticsearch at {proxy.url} answers again."))["seconds"] > 0
        await wait_until_drained(settings)

        await asyncio.to_thread(set_patient, worker, "patient-1")
        audited = await seen(worker, "Audited: ")
        assert (audited["action"], audited["outcome"], audited["authenticated_by"]) == ("set", "done", "token")

    assert await asyncio.to_thread(worker.stop) == 0
    assert await seen(worker, "The worker has stopped.")

    settings.elasticsearch_url = elasticsearch_url
    await asyncio.to_thread(shutil.rmtree, worker.data_dir)
    again = await asyncio.to_thread(start_worker, "again", **JSON)
    assert (await seen(again, "Recovery begins"))["entries"] > 0
    assert (await seen(again, "Recovery is done"))["seconds"] > 0
    topic = f"{settings.app_id}-readings"
    await produce(settings.kafka, topic, [b"\x01\x82\xa4type\xa9CanaryDoe"], key=b"signal")
    assert await asyncio.to_thread(again.process.wait, 60) != 0
    stops = await seen(again, "The worker stops: ")
    assert (stops["level"], stops["topic"], stops["agent"]) == ("critical", topic, "monitor")
    assert {"partition", "offset", "records", "failure"} <= stops.keys()
    assert any("Traceback" in event.get("exception", "") for event in told(again))
    assert "CanaryDoe" not in again.log.read_text()


def set_patient(worker: WorkerProcess, patient_id: str) -> None:
    request = urllib.request.Request(
        worker.url(f"/patients/{patient_id}/settings/"),
        b'{"policy": "aha-2017"}',
        {"Authorization": f"Bearer {TOKEN}", "Sec-Fetch-Site": "same-origin"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def test_as_json_what_is_refused_at_start_and_in_commands_is_an_object_too(settings: WorkerSettings) -> None:
    away = {"BP_FAUST_BROKER_URL": f"kafka://127.0.0.1:{free_port()}"}
    for arguments, environment in (
        (("worker",), {"BP_FAUST_WEB_BIND": "0.0.0.0"}),
        (("worker",), {"BP_FAUST_POLICY": "nonsense"}),
        (("dlq", "list"), away),
        (("worker", "-l", "info"), away),
    ):
        ran = settings.faust(*arguments, BP_FAUST_LOG_FORMAT="json", **environment)
        assert ran.returncode == 1
        assert ran.stdout == ""
        *_, last = [json.loads(line) for line in ran.stderr.splitlines()]
        assert last["level"] == "error"
        assert last["event"]


async def test_for_people_lines_say_when_in_utc(settings: WorkerSettings, start_worker: StartWorker) -> None:
    worker = await asyncio.to_thread(start_worker)
    await eventually(lambda: "Ready: at work" in worker.log.read_text(), 60)
    assert await asyncio.to_thread(worker.stop) == 0
    log = worker.log.read_text()
    assert re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \[info +\] Ready: at work", log, re.MULTILINE)
    assert f"'{settings.readings_topic}': [0, 1, 2, 3]" in log
