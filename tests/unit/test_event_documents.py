"""Documents hold our own fields as they are, and beside them the fields of the Elastic Common Schema."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import orjson
import pytest

from bp_faust.event_documents import alert_document, anomaly_document, refusal_document
from bp_faust.models import AlertEvent, Anomaly, Refusal, Status
from bp_faust.search.templates import ALERT_PROPERTIES, ANOMALY_PROPERTIES, REFUSAL_PROPERTIES, Properties

TIME = "2026-11-24T08:00:00.000Z"
ANOMALY = Anomaly("p-1", "o-1", 150, None, "Hypertension", TIME, msgspec.Raw(b'[{"rule":"seed/high"}]'))
REFUSAL = Refusal("readings", 3, 17, ["no-value", "unit-unknown"], 4, TIME)

#: What ECS allows.
KINDS = {"alert", "asset", "enrichment", "event", "metric", "pipeline_error", "state"}
TYPES = {
    "access", "admin", "allowed", "change", "connection", "creation", "deletion", "denied", "device", "end", "error",
    "group", "indicator", "info", "installation", "protocol", "start", "user",
}  # fmt: skip


def alert(status: Status) -> AlertEvent:
    return AlertEvent(
        "a-1", "p-1", status, "high", "severe", "aha-2017/crisis", "Crisis", "aha-2017", "AHA", TIME, TIME, "o-1", False
    )


DOCUMENTS = [
    (ANOMALY, anomaly_document(ANOMALY), ANOMALY_PROPERTIES),
    (REFUSAL, refusal_document(REFUSAL), REFUSAL_PROPERTIES),
    *((alert(status), alert_document(alert(status)), ALERT_PROPERTIES) for status in get_args(Status)),
]


@pytest.mark.parametrize(("described", "encoded", "properties"), DOCUMENTS)
def test_our_fields_stay_as_they_are_and_those_of_ecs_are_beside_them(
    described: msgspec.Struct, encoded: bytes, properties: Properties
) -> None:
    document = orjson.loads(encoded)
    ecs = {name: document.pop(name) for name in ("@timestamp", "ecs", "event")}
    assert document == orjson.loads(msgspec.json.encode(described))
    assert ecs["@timestamp"] == TIME
    assert ecs["event"]["kind"] in KINDS
    assert set(ecs["event"]["type"]) <= TYPES
    assert ecs["event"]["dataset"].startswith(ecs["event"]["module"] + ".")


@pytest.mark.parametrize(("described", "encoded", "properties"), DOCUMENTS)
def test_every_field_is_mapped(described: msgspec.Struct, encoded: bytes, properties: Properties) -> None:
    document: dict[str, Any] = orjson.loads(encoded)
    assert document.keys() <= properties.keys()
    for name in ("ecs", "event"):
        assert document[name].keys() == properties[name]["properties"].keys()


def test_an_alert_s_event_is_its_last_change() -> None:
    told = {}
    for status in get_args(Status):
        event = orjson.loads(alert_document(alert(status)))["event"]
        told[status] = (event["type"], event["action"])
    assert told == {
        "open": (["start"], "alert-opened"),
        "escalated": (["change"], "alert-escalated"),
        "acknowledged": (["change"], "alert-acknowledged"),
        "resolved": (["end"], "alert-resolved"),
    }
