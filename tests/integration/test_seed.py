"""The seed's systems keep working, and real people's readings come out right."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from elasticsearch import AsyncElasticsearch

from tests import oracle
from tests.kafka_client import read_all
from tests.pipeline import anomaly_types, documents, table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

REPOSITORY = Path(__file__).parents[2]
StartWorker = Callable[..., WorkerProcess]


def as_numbers(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return an envelope whose values are numbers: the seed's producer writes them as strings."""
    for part in envelope["observation"]["component"]:
        part["valueQuantity"]["value"] = float(part["valueQuantity"]["value"])
    return envelope


async def test_the_seeds_own_producer_comes_out_right(
    settings: WorkerSettings, start_worker: StartWorker, tmp_path: Path
) -> None:
    listing = (REPOSITORY / "tests/data/seed_producer.py").read_text()
    script = tmp_path / "producer.py"
    script.write_text(
        listing.replace("localhost:9093", settings.kafka).replace("blood_pressure_readings", settings.readings_topic)
    )
    worker = start_worker()
    command = [sys.executable, "-W", "ignore", str(script)]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    await wait_until_drained(settings)
    sent = [
        as_numbers(orjson.loads(record.value)) for record in await read_all(settings.kafka, settings.readings_topic)
    ]
    assert len(sent) == 10
    assert table_counts(worker) == oracle.counts(sent)
    assert await anomaly_types(settings) == oracle.documents(sent)


async def test_a_document_of_the_seeds_consumer_fits_the_index(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    start_worker()
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        document = {
            "patient_id": "162bbe21-d03c-4405-a2d6-01a162bbe21d",
            "systolic_pressure": 150,
            "diastolic_pressure": 95,
            "anomaly_type": "Hypertension",
            "timestamp": "2025-01-15T10:00:00.123456",
        }
        await client.index(index=settings.index, document=document, refresh=True)
        found = await client.search(
            index=settings.index,
            query={"term": {"anomaly_type": "Hypertension"}},
            aggs={"patients": {"terms": {"field": "patient_id"}}},
        )
    assert found["hits"]["total"]["value"] == 1
    assert found["aggregations"]["patients"]["buckets"][0]["key"] == document["patient_id"]


async def test_the_real_readings_give_the_published_counts(settings: WorkerSettings, start_worker: StartWorker) -> None:
    """1,997 readings of the Ghana trial: 1,360 hypertension, 51 hypotension."""
    worker = start_worker()
    sent = settings.faust("produce", "--file", str(REPOSITORY / "examples/ghana-readings.ndjson.gz"))
    assert sent.returncode == 0, sent.stderr
    assert "1997" in sent.stdout
    await wait_until_drained(settings)
    expected = {"Hypertension": 1360, "Hypotension": 51}
    assert Counter(document["anomaly_type"] for document in await documents(settings)) == expected
    in_table: Counter[str] = Counter()
    for counts in table_counts(worker).values():
        in_table.update(counts)
    assert in_table == expected
