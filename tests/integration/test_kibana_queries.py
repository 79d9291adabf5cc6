"""Check the numbers that Kibana's panels show, by running their queries on a real Elasticsearch on known data."""

import random
import statistics
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from elasticsearch import AsyncElasticsearch

from bp_faust.search.client import connect
from bp_faust.search.documents import Document
from bp_faust.search.templates import ANOMALY_PROPERTIES, ensure_index
from bp_faust.search.writer import BulkWriter
from tests.integration.kibana_requests import Row, query, rows

EXPORT = Path(__file__).parents[2] / "kibana" / "blood_pressure.ndjson"
SAVED = {line["id"]: line for line in map(orjson.loads, EXPORT.read_bytes().splitlines()) if "id" in line}
DAY = {"calendar_interval": "1d"}
START, END = "2025-03-01T00:00:00.000Z", "2025-03-10T23:59:59.999Z"


@pytest.fixture(scope="module")
def anomalies() -> list[dict[str, Any]]:
    """Make up 3,000 anomalies of 40 patients over ten days and some outside them."""
    dice = random.Random(8)
    types = ["Hypertension"] * 6 + ["Hypotension"] * 3 + [f"Type {letter}" for letter in "ABCDE"]
    return [
        {
            "patient_id": f"patient-{int(dice.triangular(0, 40, 8)):02d}",
            "systolic_pressure": dice.randint(141, 2000) / 10 + 100,
            "diastolic_pressure": float(dice.randint(50, 120)),
            "anomaly_type": dice.choice(types),
            "timestamp": f"2025-{'02' if number % 50 == 0 else '03'}-{dice.randint(1, 10):02d}"
            f"T{dice.randint(0, 23):02d}:{dice.randint(0, 59):02d}:00Z",
            "observation_id": f"o{number}",
        }
        for number in range(3_000)
    ]


@pytest.fixture
async def client(elasticsearch_url: str) -> AsyncIterator[AsyncElasticsearch]:
    async with connect(elasticsearch_url) as client:
        yield client


@pytest.fixture
async def index(client: AsyncElasticsearch, anomalies: list[dict[str, Any]]) -> AsyncIterator[str]:
    name = f"kibana-{uuid.uuid4().hex}"
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    documents = [Document(name, anomaly["observation_id"], 1, anomaly) for anomaly in anomalies]
    assert await BulkWriter(client).write(documents) == []
    await client.indices.refresh(index=name)
    yield name
    await client.indices.delete(index=name)
    await client.indices.delete_index_template(name=name)


async def _panel(client: AsyncElasticsearch, index: str, identity: str) -> list[Row]:
    saved = SAVED[identity]
    return await rows(client, index, saved, query(saved, "timestamp", START, END), DAY)


def _shown(anomalies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [anomaly for anomaly in anomalies if START <= anomaly["timestamp"] <= END]


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """Rank as Elasticsearch does: by count, and alphabetically where that is equal."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _top_five_and_other(counts: Counter[str]) -> list[tuple[str, int]]:
    ranked = _ranked(counts)
    rest = sum(count for _, count in ranked[5:])
    return ranked[:5] + ([("Other", rest)] if rest else [])


async def test_the_median_panel_shows_the_ten_highest_medians_of_hypertensive_patients(
    client: AsyncElasticsearch, index: str, anomalies: list[dict[str, Any]]
) -> None:
    pressures: dict[str, list[float]] = defaultdict(list)
    for anomaly in _shown(anomalies):
        if anomaly["anomaly_type"] == "Hypertension":
            pressures[anomaly["patient_id"]].append(anomaly["systolic_pressure"])
    medians = {patient: statistics.median(values) for patient, values in pressures.items()}
    expected = sorted(medians.items(), key=lambda item: -item[1])[:10]
    shown = await _panel(client, index, "blood-pressure-median-systolic")
    assert [patient for patient, _ in shown] == [patient for patient, _ in expected]
    # The index holds pressures as floats of 32 bits.
    assert [value for _, value in shown] == pytest.approx([value for _, value in expected], rel=1e-6)


async def test_the_table_counts_the_five_most_frequent_of_each_and_all_others(
    client: AsyncElasticsearch, index: str, anomalies: list[dict[str, Any]]
) -> None:
    shown = _shown(anomalies)
    types = Counter(anomaly["anomaly_type"] for anomaly in shown)
    assert len(types) > 5, "the types have an Other of their own"
    top = [name for name, _ in _ranked(types)[:5]]
    expected = []
    for name in [*top, "Other"]:
        of_this = [a for a in shown if a["anomaly_type"] == name or (name == "Other" and a["anomaly_type"] not in top)]
        patients = Counter(anomaly["patient_id"] for anomaly in of_this)
        expected += [(name, patient, count) for patient, count in _top_five_and_other(patients)]
    table = await _panel(client, index, "blood-pressure-anomalies-by-patient")
    assert table == expected
    assert sum(row[-1] for row in table) == len(shown)


async def test_the_histogram_stacks_the_days_by_type(
    client: AsyncElasticsearch, index: str, anomalies: list[dict[str, Any]]
) -> None:
    days: dict[str, Counter[str]] = defaultdict(Counter)
    for anomaly in _shown(anomalies):
        days[anomaly["timestamp"][:10] + "T00:00:00.000Z"][anomaly["anomaly_type"]] += 1
    expected = [(day, name, count) for day in sorted(days) for name, count in _ranked(days[day])[:5]]
    assert await _panel(client, index, "blood-pressure-anomalies-over-time") == expected


async def test_the_table_of_the_seed_s_report_comes_out_as_printed(client: AsyncElasticsearch) -> None:
    """Five patients with four anomalies each, and forty of others, as in the report's own results."""
    name = f"kibana-{uuid.uuid4().hex}"
    patients = ["162bbe21", "2a64ef1d", "2cef7e9f", "3910dd41", "396fb588"]
    others = [f"{number:08d}-other" for number in range(40)]
    hits = [patient for patient in patients for _ in range(4)] + others
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    await BulkWriter(client).write(
        Document(
            name, str(number), 1, {"patient_id": patient, "anomaly_type": "Hypertension", "timestamp": "2025-03-02"}
        )
        for number, patient in enumerate(hits)
    )
    await client.indices.refresh(index=name)
    table = await _panel(client, name, "blood-pressure-anomalies-by-patient")
    await client.indices.delete(index=name)
    await client.indices.delete_index_template(name=name)
    assert table == [("Hypertension", patient, 4) for patient in patients] + [("Hypertension", "Other", 40)]
