"""Turn what is kept in Elasticsearch into documents: our own fields, and Elastic Common Schema's beside them. Pure.

Of ECS they have ``@timestamp``, ``ecs.version`` and ``event.*``. There is no ``event.category``, as none of ECS's
categories is about patients, and ECS wants the field left out then.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bp_faust.models import AlertEvent, Anomaly, Refusal, Status

#: The version of ECS that the fields are named after.
_ECS_VERSION = "8.9.0"

_MODULE = "bp_faust"

#: What an alert's status is as an event's type and action.
_OF_STATUS: dict[Status, tuple[Literal["start", "change", "end"], str]] = {
    "open": ("start", "alert-opened"),
    "escalated": ("change", "alert-escalated"),
    "acknowledged": ("change", "alert-acknowledged"),
    "resolved": ("end", "alert-resolved"),
}


def _common(kind: str, dataset: str, event_type: str, action: str) -> bytes:
    """Encode the members that all documents of a kind share, with a comma behind each."""
    event = {
        "kind": kind,
        "type": [event_type],
        "action": action,
        "module": _MODULE,
        "dataset": f"{_MODULE}.{dataset}",
    }
    return b'"ecs":%b,"event":%b,' % (
        msgspec.json.encode({"version": _ECS_VERSION}),
        msgspec.json.encode(event),
    )


_ANOMALY = _common("event", "anomaly", "info", "anomaly-found")
_ALERTS = {status: _common("alert", "alert", *of_status) for status, of_status in _OF_STATUS.items()}
_REFUSAL = _common("pipeline_error", "refusal", "error", "record-refused")


def anomaly_document(anomaly: Anomaly) -> bytes:
    """Return the JSON document of an anomaly; its event is the reading."""
    return _document(_ANOMALY, anomaly)


def alert_document(event: AlertEvent) -> bytes:
    """Return the JSON document of an alert as it now is; its event is the last change."""
    return _document(_ALERTS[event.status], event)


def refusal_document(refusal: Refusal) -> bytes:
    """Return the JSON document of a refused record."""
    return _document(_REFUSAL, refusal)


def _document(common: bytes, described: Anomaly | AlertEvent | Refusal) -> bytes:
    # A struct's JSON is an object that is not empty, so that its members can follow ours.
    own = msgspec.json.encode(described)
    return b'{"@timestamp":%b,%b%b' % (msgspec.json.encode(described.timestamp), common, own[1:])
