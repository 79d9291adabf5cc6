"""Refused records are noted in Elasticsearch, each once and without what they hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from elasticsearch import AsyncElasticsearch

from tests import oracle
from tests.fault_proxy import FaultProxy
from tests.kafka_client import produce, reset_group
from tests.pipeline import documents, eventually, table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]


async def refusals(settings: WorkerSettings, elasticsearch_url: str) -> dict[str, dict[str, Any]]:
    """Return the documents of refused records, by their ids."""
    async with AsyncElasticsearch(elasticsearch_url) as client:
        await client.indices.refresh(index=settings.refusals_index)
        found = await client.search(index=settings.refusals_index, size=1000)
        return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}


def reasons(found: dict[str, dict[str, Any]]) -> Counter[str]:
    return Counter(reason for document in found.values() for reason in document["reasons"])


async def test_refused_records_are_noted_once_by_place_and_reason_and_survive_outage_replay_and_loss(
    settings: WorkerSettings, start_worker: StartWorker, elasticsearch_url: str
) -> None:
    good = oracle.random_envelopes(20, patients=5, seed=21)
    async with FaultProxy(elasticsearch_url) as proxy:
        settings.elasticsearch_url = proxy.url
        worker = await asyncio.to_thread(start_worker)
        # Two reasons in one record are one document.
        bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "CanaryDoe"}}, {}]}
        places = await produce(settings.kafka, settings.readings_topic, [b"not json", bundle, b""], partition=2)
        await wait_until_drained(settings)
        found = await refusals(settings, elasticsearch_url)
        assert set(found) == {f"{settings.readings_topic}/{partition}/{offset}" for partition, offset in places}
        document = found[f"{settings.readings_topic}/2/{places[0][1]}"]
        assert (document["topic"], document["partition"], document["offset"]) == (settings.readings_topic, *places[0])
        assert (document["reasons"], document["rejections"]) == (["not-json"], 1)
        assert document["@timestamp"] == document["timestamp"]
        assert document["event"]["kind"] == "pipeline_error"
        assert "Canary" not in repr(found)

        await proxy.refuse()
        await produce(settings.kafka, settings.readings_topic, [b"still not json"] * 30)
        await produce(settings.kafka, settings.readings_topic, good)
        await eventually(lambda: worker.get("/refusals/")["refusals"]["not-json"] == 31)
        await eventually(lambda: table_counts(worker) == oracle.counts(good))
        assert worker.status("/readyz") == 200
        await proxy.heal()
        await wait_until_drained(settings)
        assert reasons(await refusals(settings, elasticsearch_url)) == worker.get("/refusals/")["refusals"]

    settings.elasticsearch_url = elasticsearch_url
    assert await asyncio.to_thread(worker.stop) == 0
    before = await refusals(settings, elasticsearch_url)
    assert len(before) == 33
    worker = await asyncio.to_thread(start_worker, "second")
    replayed = await asyncio.to_thread(settings.faust, "dlq", "replay")
    assert replayed.returncode == 0, replayed.stderr
    await wait_until_drained(settings)
    # All that is told again is told of the same records, from the first of them on.
    assert await asyncio.to_thread(worker.stop) == 0
    await reset_group(settings.kafka, settings.app_id)
    worker = await asyncio.to_thread(start_worker, "third")
    await wait_until_drained(settings)
    assert await refusals(settings, elasticsearch_url) == before
    assert reasons(before) == worker.get("/refusals/")["refusals"]
    assert len(await documents(settings)) == len(oracle.documents(good))


async def test_a_note_that_elasticsearch_will_never_take_is_told_of_and_stops_nothing(
    settings: WorkerSettings, start_worker: StartWorker, elasticsearch_url: str
) -> None:
    """Whoever writes to the dead-letter topic may claim that a record came from a topic with a name of any length."""
    worker = await asyncio.to_thread(start_worker)
    claimed = {
        "topic": b"CanaryDoe" * 100,
        "partition": b"0",
        "offset": b"7",
        "timestamp": b"1700000000000",
        "rejections": b"1",
        "reason": b"not-json",
        "path": b"",
        "detail": b"",
    }
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        await producer.send_and_wait(
            settings.dead_letters_topic,
            b"not json",
            headers=[(f"bp_faust.{name}", value) for name, value in claimed.items()],
            partition=0,
        )
    await produce(settings.kafka, settings.readings_topic, [b"not json either"], partition=0)
    await wait_until_drained(settings)
    assert worker.get("/refusals/")["refusals"] == {"not-json": 2}
    (document,) = (await refusals(settings, elasticsearch_url)).values()
    assert document["topic"] == settings.readings_topic
    log = worker.log.read_text()
    assert f"Elasticsearch refused (400) the note of a refusal at {settings.refusals_topic}/0/" in log
    assert "CanaryDoe" not in log


async def test_without_a_name_of_their_index_refusals_are_only_counted(
    settings: WorkerSettings, start_worker: StartWorker, elasticsearch_url: str
) -> None:
    worker = await asyncio.to_thread(lambda: start_worker(BP_FAUST_ELASTICSEARCH_REFUSALS_INDEX=""))
    await produce(settings.kafka, settings.readings_topic, [b"not json", oracle.envelope("p", 150, 80)])
    await wait_until_drained(settings)
    assert worker.get("/refusals/")["refusals"] == {"not-json": 1}
    assert len(await documents(settings)) == 1
    async with AsyncElasticsearch(elasticsearch_url) as client:
        assert not await client.indices.exists(index=settings.refusals_index)
