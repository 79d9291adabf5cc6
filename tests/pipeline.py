"""Look at what a running installation has made of its input."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from elasticsearch import AsyncElasticsearch

from tests.kafka_client import uncommitted
from tests.worker_process import WorkerProcess, WorkerSettings

#: How long an installation may take to work through what a test gives it, in seconds.
DRAINED_SECONDS = 120.0


async def wait_until_drained(
    settings: WorkerSettings, seconds: float = DRAINED_SECONDS, topics: Sequence[str] = ()
) -> None:
    """Wait until all there is on some topics has been worked through and committed, or on all that agents read."""
    topics = topics or [
        settings.readings_topic,
        f"{settings.app_id}-readings",
        settings.anomalies_topic,
        settings.dead_letters_topic,
        settings.patient_settings_topic,
        settings.alerts_topic,
        settings.refusals_topic,
    ]
    deadline = time.monotonic() + seconds
    while True:
        behind = await uncommitted(settings.kafka, settings.app_id, topics)
        if not any(behind.values()):
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"Not done after {seconds:.0f} s: {behind}")
        await asyncio.sleep(0.2)


async def eventually(condition: Callable[[], bool], seconds: float = DRAINED_SECONDS) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not so within {seconds:.0f} s.")
        await asyncio.sleep(0.1)


async def documents(settings: WorkerSettings, fields: list[str] | None = None) -> list[dict[str, Any]]:
    """Return all documents of the installation's index, of each some fields only where they are given."""
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        await client.indices.refresh(index=settings.index)
        found: list[dict[str, Any]] = []
        after: list[Any] | None = None
        while True:
            page = await client.search(
                index=settings.index,
                size=5000,
                sort=["timestamp", "patient_id", "observation_id"],
                search_after=after,
                source_includes=fields,
            )
            hits = page["hits"]["hits"]
            found += [hit["_source"] for hit in hits]
            if len(hits) < 5000:
                return found
            after = hits[-1]["sort"]


async def anomaly_types(settings: WorkerSettings) -> dict[tuple[str, str], str]:
    """Return the types of the index's anomalies by patient and Observation; fail where one is there twice."""
    found = await documents(settings, ["patient_id", "observation_id", "anomaly_type"])
    types = {(one["patient_id"], one["observation_id"]): one["anomaly_type"] for one in found}
    assert len(found) == len(types), f"There are {len(found)} documents of {len(types)} readings."
    return types


def table_counts(worker: WorkerProcess) -> dict[str, dict[str, int]]:
    """Return the number of anomalies by patient and type, as the worker's view tells them."""
    answer = worker.get("/patients/")
    assert answer["workers_missing"] == []
    return {patient["patient_id"]: patient["anomalies"] for patient in answer["patients"]}
