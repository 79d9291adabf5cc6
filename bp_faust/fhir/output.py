"""Build FHIR R4 resources of what was found: averages, alerts, and the Bundle that tells a subscriber. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from hashlib import blake2b
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from bp_faust.clinical.averages import Average
from bp_faust.fhir.codes import LOINC, SNOMED_CT
from bp_faust.fhir.resources import VITAL_SIGNS, mmhg
from bp_faust.fhir.units import UCUM
from bp_faust.models import AlertEvent

#: http://hl7.org/fhir/R4/datatypes.html#id
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")

#: HL7's profile of vital signs wants 85354-9, 8480-6 and 8462-4 beside more exact codes
#: (http://hl7.org/fhir/R4/bp.html); those of averages, and of their number, are US Core's
#: (http://hl7.org/fhir/us/core/StructureDefinition/us-core-average-blood-pressure).
_PROFILES = ("http://hl7.org/fhir/StructureDefinition/bp",)
_PANEL = (
    ("96607-7", "Blood pressure panel mean systolic and mean diastolic"),
    ("85354-9", "Blood pressure panel with all children optional"),
)
_SYSTOLIC = (("96608-5", "Systolic blood pressure mean"), ("8480-6", "Systolic blood pressure"))
_DIASTOLIC = (("96609-3", "Diastolic blood pressure mean"), ("8462-4", "Diastolic blood pressure"))

#: http://hl7.org/fhir/R4/valueset-request-priority.html
_PRIORITY = {"mild": "routine", "moderate": "urgent", "severe": "stat"}


def average_observation(patient_id: str, average: Average, issued: str, zone: tzinfo) -> dict[str, Any]:
    """Return the Observation of a patient's average; it has the same id whenever its last day is the same.

    ``issued`` is ISO 8601 with a time zone; the days are those of the zone.
    """
    return {
        "resourceType": "Observation",
        "id": _id("average", patient_id, str(average.days), average.last.isoformat()),
        "meta": {"profile": list(_PROFILES)},
        "status": "final",
        "category": [VITAL_SIGNS],
        "code": _concept(_PANEL, f"Average blood pressure of {average.days} days"),
        "subject": _patient(patient_id),
        "effectivePeriod": {"start": average.first.isoformat(), "end": average.last.isoformat()},
        "issued": issued,
        "derivedFrom": [_observation(identity) for identity in average.observations],
        "component": [
            _component(_SYSTOLIC, average.systolic),
            _component(_DIASTOLIC, average.diastolic),
            {
                "code": {
                    "coding": [{"system": SNOMED_CT, "code": "246432004", "display": "Number of occurrences"}],
                    "text": "Number of measurements",
                },
                "valueQuantity": {"value": average.readings, "unit": "1", "system": UCUM, "code": "1"},
            },
        ],
    }


def flag(event: AlertEvent) -> dict[str, Any]:
    """Return the Flag of an alert: active until it is resolved."""
    return {
        "resourceType": "Flag",
        "id": _id("flag", event.alert_id),
        "status": "inactive" if event.status == "resolved" else "active",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/flag-category",
                        "code": "clinical",
                        "display": "Clinical",
                    }
                ]
            }
        ],
        "code": {"coding": [_rule(event)], "text": event.title},
        "subject": _patient(event.patient_id),
        "period": {"start": event.opened, **({"end": event.timestamp} if event.status == "resolved" else {})},
    }


def communication(event: AlertEvent) -> dict[str, Any]:
    """Return the Communication that tells of what became of an alert."""
    about = [_reference("Flag", _id("flag", event.alert_id))]
    if event.observation_id:
        about.append(_observation(event.observation_id))
    return {
        "resourceType": "Communication",
        "id": _id("communication", event.alert_id, event.status, event.timestamp),
        "status": "completed",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/communication-category",
                        "code": "alert",
                        "display": "Alert",
                    }
                ]
            }
        ],
        "priority": _PRIORITY.get(event.severity, "routine"),
        "subject": _patient(event.patient_id),
        "about": about,
        "sent": event.acknowledged_at if event.status == "acknowledged" else event.timestamp,
        "reasonCode": [{"coding": [_rule(event)], "text": event.title}],
        "payload": [{"contentString": sentence(event)}],
    }


def sentence(event: AlertEvent) -> str:
    """Return an alert's event as people read it."""
    became = {
        "open": "was opened",
        "escalated": "escalated",
        "acknowledged": f"was acknowledged by {event.acknowledged_by}: {event.acknowledged_because}",
        "resolved": "is over",
    }[event.status]
    return f"{event.title} ({event.severity}) {became}."


def notification_bundle(
    resources: Sequence[Mapping[str, Any]], subscription: str, number: int, base: str, timestamp: str
) -> dict[str, Any]:
    """Return the Bundle that hands resources to a subscriber, as FHIR R4B and the R5 backport have it.

    ``number`` counts the notifications that went to the subscriber, ``base`` is the address of which the resources'
    full URLs are made (http://hl7.org/fhir/uv/subscriptions-backport/notifications.html).
    """
    places = [f"{one['resourceType']}/{one['id']}" for one in resources]
    event: dict[str, Any] = {
        "eventNumber": str(number),
        "timestamp": timestamp,
        "focus": {"reference": f"{base}/{places[0]}"},
    }
    if len(places) > 1:
        event["additionalContext"] = [{"reference": f"{base}/{place}"} for place in places[1:]]
    status = {
        "resourceType": "SubscriptionStatus",
        "status": "active",
        "type": "event-notification",
        "eventsSinceSubscriptionStart": str(number),
        "notificationEvent": [event],
        "subscription": {"reference": subscription},
    }
    return {
        "resourceType": "Bundle",
        "type": "history",
        "timestamp": timestamp,
        "entry": [
            {
                "fullUrl": f"urn:uuid:{uuid5(NAMESPACE_URL, f'{subscription}/{number}')}",
                "resource": status,
                "request": {"method": "GET", "url": f"{subscription}/$status"},
                "response": {"status": "200"},
            },
            *(
                {
                    "fullUrl": f"{base}/{place}",
                    "resource": dict(one),
                    "request": {"method": "PUT", "url": place},
                    "response": {"status": "200"},
                }
                for place, one in zip(places, resources, strict=True)
            ),
        ],
    }


def _id(*parts: str) -> str:
    """Return an id that is the same for the same parts, and that FHIR allows."""
    return blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()


def _patient(patient_id: str) -> dict[str, Any]:
    return _reference("Patient", patient_id)


def _observation(identity: str) -> dict[str, Any]:
    return _reference("Observation", identity)


def _reference(kind: str, identity: str) -> dict[str, Any]:
    """Return a reference; by identifier where FHIR does not allow the id, as with one of ours like ``system|value``."""
    if _FHIR_ID.fullmatch(identity):
        return {"reference": f"{kind}/{identity}"}
    system, bar, value = identity.rpartition("|")
    return {"type": kind, "identifier": {**({"system": system} if bar and system else {}), "value": value}}


def _rule(event: AlertEvent) -> dict[str, str]:
    return {"system": "urn:bp_faust:rule", "code": event.rule, "display": event.title}


def _concept(codes: Iterable[tuple[str, str]], text: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code, "display": display} for code, display in codes], "text": text}


def _component(codes: Sequence[tuple[str, str]], value: float | None) -> dict[str, Any]:
    code = _concept(codes, codes[0][1])
    if value is None:
        absent = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}
        return {"code": code, "dataAbsentReason": {"coding": [absent]}}
    return {"code": code, "valueQuantity": mmhg(round(value, 4))}
