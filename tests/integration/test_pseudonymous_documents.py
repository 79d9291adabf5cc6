"""With a key, Elasticsearch knows patients by pseudonyms only, and the way to the patient and back is short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from elasticsearch import AsyncElasticsearch

from bp_faust.pseudonyms import SHORTEST_KEY, patient_pseudonym
from tests import oracle
from tests.kafka_client import produce, read_all, reset_group
from tests.pipeline import wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]

KEY, NEW_KEY = "a" * SHORTEST_KEY, "b" * SHORTEST_KEY


async def hits(settings: WorkerSettings, index: str) -> dict[str, dict[str, Any]]:
    """Return the documents of an index by the patient's id or pseudonym in them, of whom each has one."""
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        await client.indices.refresh(index=index)
        found = (await client.search(index=index, size=1000))["hits"]["hits"]
    by_patient = {hit["_source"]["patient_id"]: {**hit["_source"], "_id": hit["_id"]} for hit in found}
    assert len(by_patient) == len(found)
    return by_patient


async def test_corrections_and_withdrawals_meet_the_documents_of_pseudonyms(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker(BP_FAUST_PSEUDONYM_KEY=KEY, BP_FAUST_POLICY="aha-2017")
    of = {name: patient_pseudonym(KEY, name) for name in ("corrected", "withdrawn", "left")}

    def reading(name: str, systolic: int, **more: str) -> dict[str, Any]:
        return oracle.envelope(name, systolic, 125, identity=f"{name}-1", effective="2026-11-01T08:00:00Z", **more)

    await produce(settings.kafka, settings.readings_topic, [reading(name, 190) for name in of])
    await wait_until_drained(settings)
    before, alerts = await hits(settings, settings.index), await hits(settings, settings.alerts_index)
    assert set(before) == set(alerts) == set(of.values())
    assert {document["status"] for document in alerts.values()} == {"open"}

    changed = [reading("corrected", 200, status="corrected"), reading("withdrawn", 190, status="entered-in-error")]
    await produce(settings.kafka, settings.readings_topic, changed)
    await wait_until_drained(settings)
    after, alerts = await hits(settings, settings.index), await hits(settings, settings.alerts_index)
    assert set(after) == {of["corrected"], of["left"]}
    assert after[of["corrected"]] == {**before[of["corrected"]], "systolic_pressure": 200}
    assert after[of["left"]] == before[of["left"]]
    assert alerts[of["withdrawn"]]["status"] == "resolved"
    # Kafka and the views keep the ids.
    assert {record.key for record in await read_all(settings.kafka, settings.anomalies_topic)} == {
        name.encode() for name in of
    }
    assert worker.get("/patients/left/")["pseudonym"] == of["left"]


async def test_the_way_goes_from_the_pseudonym_to_the_patient_and_back(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    workers = [start_worker(f"worker-{number}", BP_FAUST_PSEUDONYM_KEY=KEY) for number in range(2)]
    names = [f"p-{number}" for number in range(12)]
    await produce(settings.kafka, settings.readings_topic, [oracle.envelope(name, 150, 95) for name in names])
    await wait_until_drained(settings)
    for worker in workers:
        for name in names:
            found = worker.get(f"/patients/?pseudonym={patient_pseudonym(KEY, name)}")
            assert [patient["patient_id"] for patient in found["patients"]] == [name]
        assert worker.get("/patients/?pseudonym=pseudonym-of-nobody")["patients"] == []
    told = await asyncio.to_thread(lambda: settings.faust("patient", "pseudonym", "p-3", BP_FAUST_PSEUDONYM_KEY=KEY))
    assert told.stdout.strip() == patient_pseudonym(KEY, "p-3")
    without_key = await asyncio.to_thread(settings.faust, "patient", "pseudonym", "p-3")
    assert (without_key.returncode, without_key.stderr.count("\n")) == (1, 1)
    assert "BP_FAUST_PSEUDONYM_KEY is not set" in without_key.stderr


async def test_after_the_key_was_changed_all_documents_can_be_written_under_the_new_one(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker(BP_FAUST_PSEUDONYM_KEY=KEY, BP_FAUST_POLICY="aha-2017")
    names = [f"p-{number}" for number in range(8)]
    await produce(settings.kafka, settings.readings_topic, [oracle.envelope(name, 190, 125) for name in names])
    await wait_until_drained(settings)
    counts = worker.get("/patients/")["patients"]
    assert worker.stop() == 0

    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        for index in (settings.index, settings.alerts_index):
            await client.indices.delete(index=index)
    await reset_group(settings.kafka, settings.app_id, settings.anomalies_topic, settings.alerts_topic)
    again = start_worker("again", BP_FAUST_PSEUDONYM_KEY=NEW_KEY, BP_FAUST_POLICY="aha-2017")
    await wait_until_drained(settings)
    for index in (settings.index, settings.alerts_index):
        assert set(await hits(settings, index)) == {patient_pseudonym(NEW_KEY, name) for name in names}
    assert again.get("/patients/")["patients"] == counts
