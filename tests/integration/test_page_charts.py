"""The page's charts: what a real Elasticsearch says of known readings, and what is said where it does not answer."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch

from bp_faust.pseudonyms import patient_pseudonym
from tests import oracle
from tests.fault_proxy import FaultProxy
from tests.kafka_client import produce
from tests.pipeline import eventually, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]

KEY = "a-key-of-32-characters-or-more-for-tests"


def readings(count: int, hours: float) -> list[dict[str, Any]]:
    """Return readings of twelve patients from so many hours before now on, none of them later than a minute ago."""
    chance, now = Random(5), datetime.now(timezone.utc)
    return [
        oracle.envelope(
            f"p{int(chance.triangular(0, 12, 2)):02d}",
            chance.randint(80, 190),
            chance.randint(50, 79),
            effective=(now - timedelta(hours=hours * chance.uniform(0.02, 1))).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        for _ in range(count)
    ]


async def refresh(settings: WorkerSettings) -> None:
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        await client.indices.refresh(index=settings.index)


def anomalies(envelopes: list[dict[str, Any]]) -> list[tuple[str, str, float]]:
    """Return type, patient and systolic pressure of each anomaly."""
    found = []
    for one in envelopes:
        systolic, diastolic = oracle.values(one)
        verdict = oracle.anomaly_type(systolic, diastolic)
        if verdict is not None:
            found.append((verdict, one["patient"]["id"], systolic))
    return found


@pytest.mark.parametrize("key", [None, KEY])
async def test_the_charts_show_what_was_sent(
    settings: WorkerSettings, start_worker: StartWorker, key: str | None
) -> None:
    worker = start_worker(**({"BP_FAUST_PSEUDONYM_KEY": key} if key is not None else {}))
    recent, old = readings(300, hours=0.9), readings(50, hours=0.1)
    for one in old:
        one["observation"]["effectiveDateTime"] = "2026-01-02T08:00:00Z"
    await produce(settings.kafka, settings.readings_topic, [*recent, *old])
    await wait_until_drained(settings)
    await refresh(settings)
    charts = worker.get("/charts/?range=1h")
    shown = anomalies(recent)

    def name(patient: str) -> str:
        return patient_pseudonym(key, patient) if key is not None else patient

    assert charts["pseudonyms"] is (key is not None)
    pressures = defaultdict(list)
    for verdict, patient, systolic in shown:
        if verdict == "Hypertension":
            pressures[name(patient)].append(systolic)
    medians = {patient: statistics.median(values) for patient, values in pressures.items()}
    assert len(charts["medians"]) == min(10, len(medians))
    assert [one["systolic_pressure"] for one in charts["medians"]] == sorted(medians.values(), reverse=True)[:10]
    for one in charts["medians"]:
        assert one["systolic_pressure"] == medians[one["patient_id"]]

    types = Counter(verdict for verdict, _, _ in shown)
    assert {one["anomaly_type"]: one["count"] for one in charts["by_type"]} == types
    for one in charts["by_type"]:
        patients = Counter(name(patient) for verdict, patient, _ in shown if verdict == one["anomaly_type"])
        told = {patient["patient_id"]: patient["count"] for patient in one["patients"]}
        assert len(told) == 6
        others = told.pop(None)
        assert all(patients[patient] == count for patient, count in told.items())
        assert sorted(told.values(), reverse=True) == sorted(patients.values(), reverse=True)[:5]
        assert others == sum(patients.values()) - sum(told.values())

    assert {one["anomaly_type"]: sum(one["counts"]) for one in charts["over_time"]} == types
    assert 30 <= len(charts["bars"]) <= 32
    if key is not None:
        pseudonym = charts["medians"][0]["patient_id"]
        (found,) = worker.get(f"/patients/?pseudonym={pseudonym}")["patients"]
        assert name(found["patient_id"]) == pseudonym
        assert found["patient_id"] not in str(charts)
        last = worker.get("/patients/")["patients"][-1]
        answer = worker.get(f"/patients/?limit=1&pseudonym={name(last['patient_id'])}")
        assert (answer["patients"], answer["more"]) == ([last], False)


async def test_without_elasticsearch_there_are_no_charts_and_all_else_goes_on(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    async with FaultProxy(settings.elasticsearch_url) as proxy:
        settings.elasticsearch_url = proxy.url
        worker = start_worker()
        await eventually(lambda: worker.status("/charts/?range=15m") == 200)
        assert worker.status("/charts/?range=2y") == 422
        await proxy.refuse()
        await eventually(lambda: worker.status("/charts/?range=1h") == 503)
        await produce(settings.kafka, settings.readings_topic, [oracle.envelope("p", 150, 95)])
        await eventually(lambda: worker.get("/overview/")["patients"] == 1)
        await eventually(lambda: worker.get("/overview/")["workers"][0]["sink_reachable"] is False)
        await proxy.heal()
        await eventually(lambda: worker.status("/charts/?range=1h") == 200)
