"""Policies, patients' settings and alerts, from a reading to Elasticsearch, FHIR and people."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from elasticsearch import AsyncElasticsearch

from tests import oracle
from tests.kafka_client import produce, read_all
from tests.pipeline import documents, eventually, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]

TOKEN = "a-token-for-tests-only"


def reading(patient: str, systolic: float, diastolic: float, hours: float, **fields: Any) -> dict[str, Any]:
    """Return a reading made so many hours before now."""
    effective = (datetime.now(timezone.utc) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return oracle.envelope(patient, systolic, diastolic, effective=effective, **fields)


async def events(settings: WorkerSettings) -> list[dict[str, Any]]:
    return [orjson.loads(record.value) for record in await read_all(settings.kafka, settings.alerts_topic)]


async def alert_documents(settings: WorkerSettings) -> list[dict[str, Any]]:
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        await client.indices.refresh(index=settings.alerts_index)
        found = await client.search(index=settings.alerts_index, size=1000)
        return [hit["_source"] for hit in found["hits"]["hits"]]


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, list[Any]]]:
    """Give the address of a web server, and what is posted there; its first answer is 503."""
    taken: list[Any] = []
    refused = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal refused
        if not refused:
            refused += 1
            return web.Response(status=503)
        taken.append(orjson.loads(await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}", taken
    finally:
        await runner.cleanup()


async def test_a_policy_by_setting_gives_findings_with_their_source_and_alerts_with_their_life(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker(BP_FAUST_POLICY="aha-2025", BP_FAUST_WEB_TOKEN=TOKEN)
    await produce(settings.kafka, settings.readings_topic, [reading("p", 150, 55, 5), reading("q", 190, 85, 5)])
    await wait_until_drained(settings)
    found = {document["patient_id"]: document for document in await documents(settings)}
    assert found["p"]["anomaly_type"] == "Hypertension stage 2"
    assert [(one["rule"], one["pressures"]) for one in found["p"]["findings"]] == [
        ("aha-2025/stage-2", ["systolic"]),
        ("aha-2025/hypotension", ["diastolic"]),
    ]
    assert all(one["citation"] and one["policy"] == "aha-2025" for one in found["p"]["findings"])
    [alert] = worker.get("/alerts/")["alerts"]
    assert (alert["patient_id"], alert["status"], alert["severity"]) == ("q", "open", "severe")

    listed = json.loads(settings.faust("--json", "alerts", "list").stdout)
    assert [one["alert_id"] for one in listed] == [alert["alert_id"]]
    acknowledged = settings.faust("alerts", "acknowledge", alert["alert_id"], "--who", "nurse", "--why", "called")
    assert acknowledged.returncode == 0, acknowledged.stderr
    await wait_until_drained(settings)
    [known] = worker.get("/patients/q/")["alerts"]
    assert (known["status"], known["acknowledged_by"], known["acknowledged_because"]) == (
        "acknowledged",
        "nurse",
        "called",
    )
    await produce(settings.kafka, settings.readings_topic, [reading("q", 110, 70, 4), reading("q", 112, 70, 3)])
    await wait_until_drained(settings)
    assert worker.get("/alerts/")["alerts"] == []
    assert [event["status"] for event in await events(settings)] == ["open", "acknowledged", "resolved"]
    [document] = await alert_documents(settings)
    assert (document["status"], document["alert_id"]) == ("resolved", alert["alert_id"])
    assert document["@timestamp"] == document["timestamp"]
    assert document["event"] == {
        "kind": "alert",
        "type": ["end"],
        "action": "alert-resolved",
        "module": "bp_faust",
        "dataset": "bp_faust.alert",
    }
    over = settings.faust("alerts", "acknowledge", alert["alert_id"], "--why", "late")
    assert (over.returncode, over.stderr.count("\n")) == (1, 1)


async def test_the_web_takes_acknowledgements_and_settings_from_those_who_have_the_token(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker(BP_FAUST_WEB_TOKEN=TOKEN)
    header = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{worker.port}") as session:
        own = {"policy": "esh-2023", "thresholds": {"systolic_above": 150}, "muted_until": "2100-01-01T00:00:00Z"}
        for given, status in (({}, 401), ({"Authorization": "Bearer wrong"}, 401), (header, 200)):
            async with session.put("/patients/p/settings/", json=own, headers=given) as response:
                assert response.status == status
        for wrong in ({"policy": "esc-2042"}, {"colour": "red"}, {"measure_every_days": 0}, {"muted_until": "soon"}):
            async with session.put("/patients/p/settings/", json=wrong, headers=header) as response:
                assert response.status == 422
                assert (await response.json())["error"]
        await wait_until_drained(settings)
        await produce(settings.kafka, settings.readings_topic, [reading("p", 185, 85, 2), reading("p", 151, 85, 1)])
        await wait_until_drained(settings)
        patient = worker.get("/patients/p/")
        assert patient["findings"] == {"esh-2023/grade-3": 1, "esh-2023/above-own-threshold": 1}
        assert patient["settings"] == own
        [alert] = patient["alerts"]
        assert alert["muted"]
        body = {"who": "doctor", "why": "seen"}
        async with session.post(f"/patients/p/alerts/{alert['alert_id']}/acknowledge/", json=body) as response:
            assert response.status == 401
        async with session.post("/patients/p/alerts/unknown/acknowledge/", json=body, headers=header) as response:
            assert response.status == 404
        path = f"/patients/p/alerts/{alert['alert_id']}/acknowledge/"
        async with session.post(path, json=body, headers=header) as response:
            assert response.status == 200
        await wait_until_drained(settings)
        assert worker.get("/patients/p/")["alerts"][0]["acknowledged_by"] == "doctor"
        async with session.delete("/patients/p/settings/", headers=header) as response:
            assert response.status == 200
        await wait_until_drained(settings)
        assert worker.get("/patients/p/")["settings"] is None


async def test_a_cohorts_settings_hold_for_its_patients_and_outlive_the_worker(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker()
    for arguments in (
        ("cohort/ward-3", "--policy", "esc-2024", "--setting", "home", "--measure-every-days", "1"),
        ("p", "--cohort", "ward-3"),
    ):
        ran = await asyncio.to_thread(settings.faust, "patient", "set", *arguments)
        assert ran.returncode == 0, ran.stderr
    shown = json.loads((await asyncio.to_thread(settings.faust, "--json", "patient", "show")).stdout)
    assert shown == {
        "cohort/ward-3": {"policy": "esc-2024", "setting": "home", "measure_every_days": 1},
        "patient/p": {"cohort": "ward-3"},
    }
    for wrong in (("p", "--policy", "esc-2042"), ("cohort/x", "--cohort", "y"), ("p", "--birth-date", "soon"), ("p",)):
        ran = await asyncio.to_thread(settings.faust, "patient", "set", *wrong)
        assert ran.returncode in (1, 2)
        assert "Traceback" not in ran.stderr
    over = ("patient", "set", "p", "--muted-until", "2020-01-01T00:00:00Z")
    ran = await asyncio.to_thread(settings.faust, *over)
    assert (ran.returncode, "--muted-until has passed" in ran.stderr) == (2, True)
    await wait_until_drained(settings)
    await produce(settings.kafka, settings.readings_topic, [reading("p", 136, 60, 48), reading("other", 136, 60, 48)])
    await wait_until_drained(settings)
    assert worker.get("/patients/p/")["findings"] == {"esc-2024/hypertension": 1}
    assert worker.get("/patients/other/")["findings"] == {}
    assert worker.stop() == 0
    worker.start()
    worker.wait_until_ready()
    assert worker.get("/patients/p/")["settings"] == {"cohort": "ward-3"}


async def test_a_patient_who_does_not_measure_is_missed_until_the_next_reading(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker(BP_FAUST_CLOCK_INTERVAL="0.5")
    long_ago = int((datetime.now(timezone.utc) - timedelta(days=3)).timestamp() * 1000)
    await produce(
        settings.kafka,
        settings.patient_settings_topic,
        [b'{"measure_every_days": 2}'],
        key=b"patient/p",
        timestamp_ms=long_ago,
    )
    await eventually(lambda: [alert["rule"] for alert in worker.get("/alerts/")["alerts"]] == ["missing/no-readings"])
    await produce(settings.kafka, settings.readings_topic, [reading("p", 120, 80, 0)])
    await eventually(lambda: worker.get("/alerts/")["alerts"] == [])


async def test_a_severe_reading_that_comes_very_late_is_told_all_the_same(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker(BP_FAUST_POLICY="aha-2017", BP_FAUST_CLOCK_INTERVAL="0.5")
    await produce(settings.kafka, settings.readings_topic, [reading("p", 115, 75, hours) for hours in range(30, 0, -1)])
    await eventually(
        lambda: bool(worker.get("/patients/")["patients"]) and worker.get("/patients/p/")["readings"] == 30
    )
    await produce(settings.kafka, settings.readings_topic, [reading("p", 190, 100, 40)])
    await eventually(lambda: worker.get("/patients/p/")["readings"] == 31)
    # It was over with the second reading after it.
    deadline = time.monotonic() + 60
    while (told := [event["status"] for event in await events(settings)]) != ["open", "resolved"]:
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.2)


async def test_alerts_and_averages_go_out_as_fhir_and_people_are_told(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    async with receiver() as (subscriber, bundles), receiver() as (webhook, messages):
        # The first message is refused: that holds nothing up.
        worker = start_worker(
            BP_FAUST_POLICY="aha-2017",
            BP_FAUST_FHIR_OUTPUT="true",
            BP_FAUST_FHIR_SUBSCRIBER_URL=f"http://{subscriber}/fhir",
            BP_FAUST_NOTIFY_URLS=f"json://{webhook}/hook",
            BP_FAUST_NOTIFY_TITLE="{title}!",
        )
        await produce(settings.kafka, settings.readings_topic, [reading("p", 190, 100, 2)])
        await wait_until_drained(settings)
        await produce(settings.kafka, settings.readings_topic, [reading("q", 200, 100, 2), reading("q", 180, 90, 1)])
        await eventually(lambda: len(messages) == 1)
        assert messages[0]["title"] == "Hypertensive crisis!"
        assert "patient q" in messages[0]["message"]

        def sent() -> list[tuple[str, str]]:
            entries = [entry["resource"] for bundle in bundles for entry in bundle["entry"]]
            return [(one["resourceType"], one["subject"]["reference"]) for one in entries if "subject" in one]

        await eventually(
            lambda: (
                {kind for kind, whose in sent() if whose == "Patient/q"}
                == {
                    "Observation",
                    "Flag",
                    "Communication",
                }
            )
        )
        assert all(bundle["entry"][0]["resource"]["resourceType"] == "SubscriptionStatus" for bundle in bundles)
        addresses = [entry["fullUrl"] for bundle in bundles for entry in bundle["entry"][1:]]
        assert addresses
        assert all(re.fullmatch(r"http://[^/]+:\d+/fhir/[A-Z]\w+/[0-9a-f]+", address) for address in addresses)
        resources = [orjson.loads(record.value) for record in await read_all(settings.kafka, settings.fhir_topic)]
        average = [one for one in resources if one["resourceType"] == "Observation" and "q" in str(one["subject"])][-1]
        assert [part.get("valueQuantity", {}).get("value") for part in average["component"]] == [190, 95, 2]
        [of_view, _] = worker.get("/patients/q/")["averages"]
        assert (of_view["systolic"], of_view["diastolic"], of_view["readings"]) == (190, 95, 2)


def test_a_wrong_policy_ends_the_start_with_its_line(settings: WorkerSettings, tmp_path: Any) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "id: own\ntitle: Own\nversion: '1'\ncitation: ours\ncategories:\n  - id: a\n    title: A\n    when: x\n"
    )
    ran = settings.faust("worker", BP_FAUST_POLICY=str(file))
    assert ran.returncode == 1
    assert f"Error: {file}, line 8: Expected" in ran.stderr
    assert "Traceback" not in ran.stderr
