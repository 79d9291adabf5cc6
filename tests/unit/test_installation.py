"""What several workers say of themselves, put together."""

from __future__ import annotations

from typing import Any

import pytest

from bp_faust.clinical.totals import Totals
from bp_faust.telemetry.installation import (
    AlertCounts,
    Setting,
    TablePartition,
    TopicPartition,
    WorkerOverview,
    WorkerState,
    WorkerSystem,
    installation_of,
    system_of,
)
from bp_faust.telemetry.worker_state import Rate

STATE: dict[str, Any] = {
    "ready": True,
    "recovering": False,
    "entries_to_recover": 0,
    "entries_of_recovery": 0,
    "no_sign_of": [],
    "hindrances": {},
    "sink_reachable": True,
}


def overview(address: str, partitions: list[int], **fields: Any) -> WorkerOverview:
    given = {
        "readings_per_second": 1.5,
        "totals": Totals(2, 5, 1, {"Hypertension": 3}, {"severe": 1}, {"mild": 1}),
        "refusals": {"not-json": 2},
        "lag": {"ingest": 4},
        "alert_changes": 7,
    }
    return WorkerOverview(address=address, partitions=partitions, **{**STATE, **given, **fields})


def test_workers_are_added_up() -> None:
    first = overview("http://b:1", [0, 1], refusals={"not-json": 1, "no-value": 5})
    second = overview("http://a:1", [3], readings_per_second=None, totals=Totals(1, 1, 0, {}, {"moderate": 2}, {}))
    found = installation_of([first, second], ["http://c:1"], 4, "2026-11-24T12:00:00.000Z")
    assert (found.patients, found.readings, found.implausible) == (3, 6, 1)
    assert found.anomalies == {"Hypertension": 3}
    assert found.alerts == {
        "severe": AlertCounts(1, 0),
        "moderate": AlertCounts(2, 0),
        "mild": AlertCounts(0, 1),
    }
    assert list(found.refusals.items()) == [("no-value", 5), ("not-json", 3)]
    assert found.lag == {"ingest": 8}
    assert found.readings_per_second == 1.5
    assert found.alert_changes == 14
    assert [worker.address for worker in found.workers] == ["http://a:1", "http://b:1"]
    assert all(type(worker) is WorkerState for worker in found.workers)
    assert found.workers_missing == ["http://c:1"]
    assert found.partitions_missing == [2]


def test_a_rate_that_nobody_knows_yet_is_none() -> None:
    assert installation_of([overview("a", [], readings_per_second=None)], [], 1, "").readings_per_second is None


def test_a_rate_is_that_of_the_last_seconds_and_unknown_at_first() -> None:
    rate = Rate()
    assert rate.of(100, now=50.0) is None
    assert rate.of(101, now=50.1) is None
    assert rate.of(104, now=52.0) == 2.0
    assert rate.of(124, now=60.0) == 2.4
    assert rate.of(224, now=61.0) == pytest.approx(120 / 9)
    assert rate.of(300, now=100.0) is None


def test_partitions_that_nobody_works_on_are_shown() -> None:
    worker = WorkerSystem(
        address="http://a:1",
        partitions=[0],
        **STATE,
        version="1",
        python="3",
        topic_partitions=[TopicPartition("ingest", 0, 4), TopicPartition("readings", 1, None)],
        tables=[TablePartition("patients", 1, False, 9), TablePartition("patients", 0, True, 8)],
    )
    settings = [Setting("BP_FAUST_POLICY", "seed", "default")]
    wanted = [("ingest", 0), ("ingest", 1), ("readings", 1)]
    found = system_of("http://a:1", [worker], ["http://b:1"], wanted, settings)
    assert found.partitions == [
        TopicPartition("ingest", 0, 4, "http://a:1"),
        TopicPartition("ingest", 1, None, None),
        TopicPartition("readings", 1, None, "http://a:1"),
    ]
    assert [(one.table, one.partition, one.active, one.worker) for one in found.tables] == [
        ("patients", 0, True, "http://a:1"),
        ("patients", 1, False, "http://a:1"),
    ]
    assert found.settings == settings
    assert found.workers_missing == ["http://b:1"]
