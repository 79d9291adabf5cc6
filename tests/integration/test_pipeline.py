"""The whole way of a reading, on a real Kafka and a real Elasticsearch."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer

from tests import oracle
from tests.kafka_client import create_topic, produce, read_all, reset_group
from tests.pipeline import anomaly_types, documents, table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]


async def test_a_restart_and_reading_all_again_count_and_index_each_reading_once(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    """5,000 readings, the worker restarted in between and its consumer group reset to the beginning once."""
    envelopes = oracle.random_envelopes(5000, patients=200, seed=5)
    worker = start_worker()
    await produce(settings.kafka, settings.readings_topic, envelopes[:3000])
    assert worker.stop() == 0
    worker.start()
    worker.wait_until_ready()
    await produce(settings.kafka, settings.readings_topic, envelopes[3000:])
    await wait_until_drained(settings)
    assert worker.stop() == 0
    await reset_group(settings.kafka, settings.app_id)
    worker.start()
    worker.wait_until_ready()
    await wait_until_drained(settings)

    assert table_counts(worker) == oracle.counts(envelopes)
    assert await anomaly_types(settings) == oracle.documents(envelopes)


async def test_counts_survive_the_loss_of_the_data_directory(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    envelopes = oracle.random_envelopes(1000, patients=50, seed=6)
    worker = start_worker()
    await produce(settings.kafka, settings.readings_topic, envelopes)
    await wait_until_drained(settings)
    worker.kill()
    shutil.rmtree(worker.data_dir)
    worker.start()
    worker.wait_until_ready()
    assert table_counts(worker) == oracle.counts(envelopes)


async def test_an_ingest_topic_that_the_broker_made_with_one_partition_works(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    envelopes = oracle.random_envelopes(200, patients=20, seed=7)
    await create_topic(settings.kafka, settings.readings_topic, 1)
    await produce(settings.kafka, settings.readings_topic, envelopes)
    worker = start_worker()
    await wait_until_drained(settings)
    assert table_counts(worker) == oracle.counts(envelopes)


async def test_what_cannot_be_read_goes_to_the_dead_letters_unchanged_and_stops_nothing(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    good = oracle.random_envelopes(20, patients=5, seed=8)
    without_value = oracle.envelope("p", 150, 80)
    del without_value["observation"]["component"][1]["valueQuantity"]
    bad = {
        b"not json": "not-json",
        b"null": None,
        b"": None,
        b'{"resourceType": "Patient", "id": "p"}': None,
        b"[1, 2, 3]": None,
        b"\xff\xfe": None,
    }
    worker = start_worker()
    await produce(settings.kafka, settings.readings_topic, good[:10])
    await produce(settings.kafka, settings.readings_topic, [*bad, without_value, oracle.envelope("p", "high", 80)])
    await produce(settings.kafka, settings.readings_topic, good[10:])
    await wait_until_drained(settings)

    assert table_counts(worker) == oracle.counts(good)
    letters = await read_all(settings.kafka, settings.dead_letters_topic)
    assert len(letters) == len(bad) + 2
    values = Counter(letter.value for letter in letters)
    assert all(values[raw] == 1 for raw in bad if raw)
    for letter in letters:
        headers = dict(letter.headers)
        assert headers["bp_faust.topic"] == settings.readings_topic.encode()
        assert headers["bp_faust.reason"]
        assert int(headers["bp_faust.offset"]) >= 0
        assert int(headers["bp_faust.partition"]) >= 0
        expected = bad.get(letter.value)
        assert expected is None or headers["bp_faust.reason"] == expected.encode()


async def test_the_largest_record_and_one_without_anything_stop_nothing(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    large = b"x" * 1_000_000
    worker = start_worker()
    await produce(settings.kafka, settings.readings_topic, [large, oracle.envelope("p", 150, 80)])
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        await producer.send_and_wait(settings.readings_topic, key=b"tombstone")
    await wait_until_drained(settings)
    assert table_counts(worker) == {"p": {"Hypertension": 1}}
    letters = {letter.value: letter for letter in await read_all(settings.kafka, settings.dead_letters_topic)}
    assert letters.keys() == {large, None}
    assert letters[None].key == b"tombstone"


async def test_numbers_as_strings_are_read_and_times_are_the_readings_own(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    dated = oracle.envelope("dated", "150", "80.5", effective="2024-02-29T12:00:00+02:00")
    undated = oracle.envelope("undated", 150, 80)
    start_worker()
    await produce(settings.kafka, settings.readings_topic, [dated, undated])
    await wait_until_drained(settings)
    found = {document["patient_id"]: document for document in await documents(settings)}
    [finding] = found["dated"].pop("findings")
    assert (finding["rule"], finding["policy"]) == ("seed/hypertension", "seed")
    assert found["dated"] == {
        "patient_id": "dated",
        "observation_id": dated["observation"]["id"],
        "systolic_pressure": 150.0,
        "diastolic_pressure": 80.5,
        "anomaly_type": "Hypertension",
        "timestamp": "2024-02-29T10:00:00.000Z",
        "@timestamp": "2024-02-29T10:00:00.000Z",
        "ecs": {"version": "8.9.0"},
        "event": {
            "kind": "event",
            "type": ["info"],
            "action": "anomaly-found",
            "module": "bp_faust",
            "dataset": "bp_faust.anomaly",
        },
    }
    record = next(
        record
        for record in await read_all(settings.kafka, settings.readings_topic)
        if undated["observation"]["id"].encode() in record.value
    )
    from datetime import datetime, timezone

    expected = datetime.fromtimestamp(record.timestamp / 1000, timezone.utc)
    assert datetime.fromisoformat(found["undated"]["timestamp"].replace("Z", "+00:00")) == expected


async def test_a_correction_replaces_and_a_withdrawal_removes_count_and_document(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    worker = start_worker()
    first, second = oracle.envelope("p", 150, 80, identity="a"), oracle.envelope("p", 160, 80, identity="b")
    await produce(settings.kafka, settings.readings_topic, [first, second], partition=0)
    await wait_until_drained(settings)
    assert table_counts(worker) == {"p": {"Hypertension": 2}}
    corrected = oracle.envelope("p", 85, 55, identity="a", status="corrected")
    withdrawn = oracle.envelope("p", 160, 80, identity="b", status="entered-in-error")
    await produce(settings.kafka, settings.readings_topic, [corrected, withdrawn], partition=0)
    await wait_until_drained(settings)
    assert table_counts(worker) == {"p": {"Hypotension": 1}}
    found = await documents(settings)
    assert [(document["observation_id"], document["anomaly_type"]) for document in found] == [("a", "Hypotension")]


@pytest.mark.parametrize(
    ("aside", "readings", "implausible", "found"),
    [("true", 1, 3, {}), ("false", 4, 0, {"Hypertension": 3})],
)
async def test_what_no_living_person_has_is_kept_apart_unless_it_is_to_be_judged(
    settings: WorkerSettings,
    start_worker: StartWorker,
    aside: str,
    readings: int,
    implausible: int,
    found: dict[str, int],
) -> None:
    worker = start_worker(BP_FAUST_SET_IMPLAUSIBLE_ASIDE=aside)
    pressures = [(120, 80), (500, 80), (200, 5), (95, 110)]
    await produce(settings.kafka, settings.readings_topic, [oracle.envelope("p", *values) for values in pressures])
    await wait_until_drained(settings)
    patient = worker.get("/patients/p/")
    assert (patient["readings"], patient["implausible"], patient["anomalies"]) == (readings, implausible, found)
    assert sorted(reading["systolic_pressure"] for reading in patient["latest_readings"]) == [95, 120, 200, 500]
    assert sum("implausible" in reading["flags"] for reading in patient["latest_readings"]) == implausible
    assert len(await documents(settings)) == sum(found.values())
    assert await read_all(settings.kafka, settings.dead_letters_topic) == []
