"""Corrections and withdrawals, in any order and however often they come, leave what the surviving readings say."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from tests import oracle
from tests.kafka_client import produce
from tests.pipeline import documents, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]

OBSERVATIONS = 600
PATIENTS = 40


def life_of(identity: str, patient: str, chance: random.Random) -> list[dict[str, Any]]:
    """Return the versions of one Observation, the first one first; the last one holds."""
    versions = []
    statuses = ["preliminary", "final", *chance.choices(["amended", "corrected"], k=chance.randint(0, 2))]
    if chance.random() < 0.3:
        statuses.append(chance.choice(["entered-in-error", "cancelled"]))
    if chance.random() < 0.1:
        statuses.append("corrected")  # withdrawn by mistake
    numbered = chance.random() < 0.5
    for number, status in enumerate(statuses, 1):
        meta = {"lastUpdated": f"2026-03-01T08:{number:02d}:00Z", **({"versionId": str(number)} if numbered else {})}
        versions.append(
            oracle.envelope(
                patient,
                chance.randint(100, 180),
                chance.randint(50, 99),
                identity=identity,
                effective=f"2026-02-{chance.randint(1, 28):02d}T{chance.randint(0, 23):02d}:30:00Z",
                status=status,
                meta=meta,
            )
        )
    return versions


def views(worker: WorkerProcess) -> list[dict[str, Any]]:
    """Return all patients who have a reading that counts, with their counts and latest readings."""
    found = worker.get("/patients/")
    assert found["workers_missing"] == []
    return [patient for patient in found["patients"] if patient["readings"]]


def without_ids(found: list[dict[str, Any]]) -> list[bytes]:
    return sorted(orjson.dumps(document, option=orjson.OPT_SORT_KEYS) for document in found)


async def test_shuffled_versions_leave_the_same_as_a_fresh_run_over_what_survived(
    settings: WorkerSettings, start_worker: StartWorker, tmp_path: Path
) -> None:
    chance = random.Random(5)
    lives = [
        life_of(f"o{number}", f"p{chance.randrange(PATIENTS)}", random.Random(number)) for number in range(OBSERVATIONS)
    ]
    everything = [version for life in lives for version in life]
    everything += chance.sample(everything, 300)  # what is sent twice
    chance.shuffle(everything)
    survivors = [
        life[-1] for life in lives if life[-1]["observation"]["status"] not in {"entered-in-error", "cancelled"}
    ]

    worker = start_worker()
    for start in range(0, len(everything), 400):  # so that versions meet in different batches, too
        await produce(settings.kafka, settings.readings_topic, everything[start : start + 400])
        await wait_until_drained(settings)

    (tmp_path / "fresh").mkdir()
    fresh_settings = WorkerSettings.unique(settings.kafka, settings.elasticsearch_url, tmp_path / "fresh")
    fresh = WorkerProcess(fresh_settings, "fresh", {})
    try:
        await asyncio.to_thread(fresh.wait_until_ready)
        await produce(settings.kafka, fresh_settings.readings_topic, survivors)
        await wait_until_drained(fresh_settings)
        assert views(worker) == views(fresh)
        assert sum(patient["readings"] for patient in views(fresh)) == len(survivors)
        assert without_ids(await documents(settings)) == without_ids(await documents(fresh_settings))
        assert len(await documents(fresh_settings)) == len(oracle.documents(survivors))
    finally:
        fresh.end()
