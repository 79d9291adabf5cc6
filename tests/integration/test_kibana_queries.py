"""Check the numbers that Kibana's panels show, by running their queries on a real Elasticsearch on known data."""

import random
import statistics
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from elasticsearch import AsyncElasticsearch

from bp_faust.event_documents import alert_document, refusal_document
from bp_faust.fhir.reasons import Reason
from bp_faust.models import AlertEvent, Refusal, Status
from bp_faust.search.client import connect
from bp_faust.search.documents import Document
from bp_faust.search.templates import ALERT_PROPERTIES, ANOMALY_PROPERTIES, REFUSAL_PROPERTIES, Properties, ensure_index
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
    name = await _fill(client, ANOMALY_PROPERTIES, anomalies)
    yield name
    await _delete(client, name)


async def _panel(client: AsyncElasticsearch, index: str, identity: str) -> list[Row]:
    """Ask for a panel as the dashboard would with a range from START to END."""
    saved = SAVED[identity]
    view = SAVED[saved["references"][0]["id"]]
    return await rows(client, index, saved, query(saved, view["attributes"].get("timeFieldName"), START, END), DAY)


async def _fill(client: AsyncElasticsearch, properties: Properties, documents: Iterable[dict[str, Any] | bytes]) -> str:
    """Make an index of documents, which the caller deletes."""
    name = f"kibana-{uuid.uuid4().hex}"
    await ensure_index(client, name, properties)
    numbered = [Document(name, str(number), 1, document) for number, document in enumerate(documents)]
    assert await BulkWriter(client).write(numbered) == []
    await client.indices.refresh(index=name)
    return name


async def _delete(client: AsyncElasticsearch, name: str) -> None:
    await client.indices.delete(index=name)
    await client.indices.delete_index_template(name=name)


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
    patients = ["162bbe21", "2a64ef1d", "2cef7e9f", "3910dd41", "396fb588"]
    others = [f"{number:08d}-other" for number in range(40)]
    hits = [patient for patient in patients for _ in range(4)] + others
    name = await _fill(
        client,
        ANOMALY_PROPERTIES,
        [{"patient_id": patient, "anomaly_type": "Hypertension", "timestamp": "2025-03-02"} for patient in hits],
    )
    table = await _panel(client, name, "blood-pressure-anomalies-by-patient")
    await _delete(client, name)
    assert table == [("Hypertension", patient, 4) for patient in patients] + [("Hypertension", "Other", 40)]


def _time(dice: random.Random) -> str:
    return (
        f"2025-{dice.choice(['02', '03', '03', '03'])}-{dice.randint(1, 10):02d}T{dice.randint(0, 23):02d}:30:00.000Z"
    )


def _by_day(found: Iterable[tuple[str, str]]) -> list[Row]:
    """Count by day and kind, as a stacked histogram shows it within the range."""
    days: dict[str, Counter[str]] = defaultdict(Counter)
    for time, kind in found:
        if START <= time <= END:
            days[time[:10] + "T00:00:00.000Z"][kind] += 1
    return [(day, kind, count) for day in sorted(days) for kind, count in _ranked(days[day])]


async def test_the_panels_of_alerts_show_all_that_are_open_and_when_they_were_opened(
    client: AsyncElasticsearch,
) -> None:
    dice = random.Random(9)
    events = [
        AlertEvent(
            alert_id=f"a{number}",
            patient_id=f"p{number % 50}",
            status=dice.choice(get_args(Status)),
            direction="high",
            severity=dice.choice(["mild", "moderate", "severe"]),
            rule="r",
            title="t",
            policy="p",
            citation="c",
            opened=_time(dice),
            timestamp="2025-03-09T10:00:00.000Z",
            observation_id="o",
            muted=False,
        )
        for number in range(300)
    ]
    name = await _fill(client, ALERT_PROPERTIES, map(alert_document, events))
    shown = await _panel(client, name, "blood-pressure-open-alerts")
    over_time = await _panel(client, name, "blood-pressure-alerts-over-time")
    await _delete(client, name)
    still_open = [event for event in events if event.status != "resolved"]
    assert any(event.opened < START for event in still_open), "some are older than the range, and open all the same"
    assert shown == _ranked(Counter(event.severity for event in still_open))
    assert over_time == _by_day((event.opened, event.severity) for event in events)


async def test_the_panels_of_refusals_count_each_record_under_each_of_its_reasons(client: AsyncElasticsearch) -> None:
    dice = random.Random(10)
    codes = [reason.value for reason in Reason][:8]
    refusals = [
        Refusal("readings", number % 4, number, dice.sample(codes, dice.choice([1, 1, 1, 2])), 2, _time(dice))
        for number in range(400)
    ]
    name = await _fill(client, REFUSAL_PROPERTIES, map(refusal_document, refusals))
    by_reason = await _panel(client, name, "blood-pressure-refusals-by-reason")
    over_time = await _panel(client, name, "blood-pressure-refusals-over-time")
    await _delete(client, name)
    within = [refusal for refusal in refusals if START <= refusal.timestamp <= END]
    assert by_reason == _ranked(Counter(reason for refusal in within for reason in refusal.reasons))
    assert over_time == _by_day((refusal.timestamp, reason) for refusal in refusals for reason in refusal.reasons)
