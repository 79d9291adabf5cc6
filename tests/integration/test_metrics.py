"""Whoever runs workers sees at /metrics, /livez and /readyz how they stand."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
from collections.abc import Callable
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests import oracle
from tests.fault_proxy import FaultProxy
from tests.kafka_client import produce
from tests.monitoring_expressions import expressions, metrics_of
from tests.pipeline import documents, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, free_port, wait_for

StartWorker = Callable[..., WorkerProcess]

LABELS = {"topic", "partition", "reason", "type", "stage", "status", "outcome", "index", "le"}


def exported(worker: WorkerProcess) -> dict[str, Metric]:
    """Return what of ours a worker exports, by family."""
    families = text_string_to_metric_families(worker.text("/metrics"))
    return {family.name: family for family in families if family.name.startswith("bp_faust_")}


def value(found: dict[str, Metric], sample: str, **labels: str) -> float:
    """Return the value of one sample."""
    family = found[re.sub(r"_(total|count|sum|bucket)$", "", sample)]
    return next(one.value for one in family.samples if one.name == sample and one.labels == labels)


def lag(worker: WorkerProcess) -> dict[tuple[str, str], float]:
    """Return the lag by topic and partition."""
    samples = exported(worker)["bp_faust_lag_records"].samples
    return {(sample.labels["topic"], sample.labels["partition"]): sample.value for sample in samples}


def ready(worker: WorkerProcess) -> tuple[int, dict[str, Any]]:
    """Return what /readyz answers: status and body."""
    try:
        return 200, worker.get("/readyz")
    except urllib.error.HTTPError as exc:
        return exc.code, json.load(exc)


async def test_what_a_worker_did_is_counted_and_timed(settings: WorkerSettings, start_worker: StartWorker) -> None:
    envelopes = oracle.random_envelopes(400, patients=20, seed=31)
    worker = start_worker()
    await produce(settings.kafka, settings.readings_topic, envelopes)
    await wait_until_drained(settings)
    found = exported(worker)
    stored = await documents(settings)
    assert value(found, "bp_faust_readings_total") == len(envelopes)
    types = {one["anomaly_type"] for one in stored}
    assert types
    for anomaly_type in types:
        expected = sum(one["anomaly_type"] == anomaly_type for one in stored)
        assert value(found, "bp_faust_findings_total", type=anomaly_type) == expected
    for stage in ("intake", "state", "sink"):
        batches = value(found, "bp_faust_batch_records_count", stage=stage)
        assert batches >= 1
        for name in ("bp_faust_batch_bytes", "bp_faust_stage_seconds", "bp_faust_latency_seconds"):
            assert value(found, f"{name}_count", stage=stage) == batches
    assert value(found, "bp_faust_batch_records_sum", stage="intake") == len(envelopes)
    latest = {stage: value(found, "bp_faust_latency_seconds_sum", stage=stage) for stage in ("state", "end_to_end")}
    assert value(found, "bp_faust_latency_seconds_count", stage="end_to_end") >= 1
    assert latest["end_to_end"] > 0
    assert value(found, "bp_faust_elasticsearch_documents_total") >= len(stored)
    assert value(found, "bp_faust_elasticsearch_requests_total") >= 1
    assert value(found, "bp_faust_ready") == value(found, "bp_faust_sink_reachable") == 1
    assert found["bp_faust_build_info"].samples[0].labels.keys() == {"version", "faust", "python"}
    assert not re.search(r"patient-\d", worker.text("/metrics"))
    for family in found.values():
        if family.name != "bp_faust_build_info":
            assert {label for sample in family.samples for label in sample.labels} <= LABELS


async def test_the_dashboard_and_the_alert_rules_ask_for_what_is_exported(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker()
    await produce(settings.kafka, settings.readings_topic, oracle.random_envelopes(50, patients=5, seed=35))
    await wait_until_drained(settings)
    wait_for(lambda: lag(worker), 30, "the first look at the lag")
    samples = {sample.name for family in exported(worker).values() for sample in family.samples}
    asked = set().union(*map(metrics_of, expressions()))
    assert asked
    assert not asked - samples


async def test_lag_is_told_of_the_partitions_that_a_worker_has(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    first = start_worker("first")
    wait_for(lambda: len(lag(first)) >= 8, 30, "the first look at the lag")
    everything = set(lag(first))
    assert {topic for topic, _ in everything} == set(ready(first)[1]["assigned"])
    second = await asyncio.to_thread(start_worker, "second")

    def shared() -> bool:
        ours, theirs = set(lag(first)), set(lag(second))
        return bool(ours and theirs) and not ours & theirs and ours | theirs == everything

    await asyncio.to_thread(wait_for, shared, 60, "each partition to be told of by one worker")
    await produce(settings.kafka, settings.readings_topic, oracle.random_envelopes(100, patients=10, seed=32))
    await wait_until_drained(settings)
    done = lambda: not any(lag(first).values()) and not any(lag(second).values())  # noqa: E731
    await asyncio.to_thread(wait_for, done, 30, "nobody to be behind")


async def test_without_elasticsearch_a_worker_is_ready_and_says_that_it_is_away(
    settings: WorkerSettings, start_worker: StartWorker, elasticsearch_url: str
) -> None:
    async with FaultProxy(elasticsearch_url) as proxy:
        settings.elasticsearch_url = proxy.url
        worker = await asyncio.to_thread(start_worker)
        await produce(settings.kafka, settings.readings_topic, oracle.random_envelopes(100, patients=10, seed=33))
        await wait_until_drained(settings)
        status, body = await asyncio.to_thread(ready, worker)
        assert (status, body["status"], body["sink"]) == (200, "ready", {"reachable": True, "denied": False})
        assert (body["alive"], body["recovering"], body["no_sign_of"], body["hindrances"]) == (True, False, [], {})
        assert body["assigned"][settings.readings_topic] == [0, 1, 2, 3]
        await proxy.refuse()
        await produce(settings.kafka, settings.readings_topic, oracle.random_envelopes(100, patients=10, seed=34))
        away = lambda: not ready(worker)[1]["sink"]["reachable"]  # noqa: E731
        await asyncio.to_thread(wait_for, away, 60, "the worker to say that Elasticsearch is away")
        assert (await asyncio.to_thread(ready, worker))[0] == 200
        behind = lambda: sum(lag(worker)[(settings.anomalies_topic, str(number))] for number in range(4))  # noqa: E731
        await asyncio.to_thread(wait_for, behind, 30, "the lag of what Elasticsearch does not take")
        found = await asyncio.to_thread(exported, worker)
        assert value(found, "bp_faust_sink_reachable") == 0
        await proxy.heal()
        await wait_until_drained(settings)
        assert (await asyncio.to_thread(ready, worker))[1]["sink"]["reachable"]
        await asyncio.to_thread(wait_for, lambda: not behind(), 30, "nobody to be behind")
        assert value(await asyncio.to_thread(exported, worker), "bp_faust_elasticsearch_retries_total") >= 1


def test_livez_tells_that_it_is_alive_and_how_far_recovery_is(start_worker: StartWorker) -> None:
    worker = start_worker(BP_FAUST_ELASTICSEARCH_URL=f"http://127.0.0.1:{free_port()}")
    assert worker.get("/livez") == {
        "status": "alive",
        "recovering": False,
        "entries_to_recover": 0,
        "entries_of_recovery": 0,
    }
    status, body = ready(worker)
    assert (status, body["sink"]) == (200, {"reachable": False, "denied": False})
