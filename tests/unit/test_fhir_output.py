"""What goes out as FHIR is valid, and says what was found."""

from __future__ import annotations

import importlib
from datetime import date, timezone
from typing import Any

import pytest

from bp_faust.clinical.averages import Average
from bp_faust.fhir import parse
from bp_faust.fhir.output import average_observation, communication, flag, notification_bundle
from bp_faust.models import AlertEvent, Rejection, Status

AVERAGE = Average(7, date(2026, 3, 2), date(2026, 3, 8), 3, 5, 131.2, None, ("a", "b|c"))


def event(status: Status = "open", **fields: Any) -> AlertEvent:
    known = {
        "alert_id": "abc",
        "patient_id": "p-1",
        "status": status,
        "direction": "high",
        "severity": "severe",
        "rule": "aha-2017/severe",
        "title": "Hypertensive crisis",
        "policy": "aha-2017",
        "citation": "Whelton 2018",
        "opened": "2026-03-01T08:00:00.000Z",
        "timestamp": "2026-03-02T08:00:00.000Z",
        "observation_id": "o-1",
        "muted": False,
        **fields,
    }
    return AlertEvent(**known)


def validate(resource: dict[str, Any]) -> None:
    kind = resource["resourceType"]
    model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    model.model_validate(resource)


def observation(patient_id: str = "p-1", average: Average = AVERAGE) -> dict[str, Any]:
    return average_observation(patient_id, average, "2026-03-08T12:00:00.000Z", timezone.utc)


def codes(concept: dict[str, Any]) -> set[str]:
    return {coding["code"] for coding in concept["coding"]}


def test_an_average_is_valid_and_has_what_the_bp_profile_wants() -> None:
    found = observation()
    validate(found)
    assert codes(found["code"]) == {"96607-7", "85354-9"}
    assert codes(found["category"][0]) == {"vital-signs"}
    assert found["effectivePeriod"] == {"start": "2026-03-02", "end": "2026-03-08"}
    systolic, diastolic, number = found["component"]
    assert codes(systolic["code"]) == {"96608-5", "8480-6"}
    assert systolic["valueQuantity"] == {
        "value": 131.2,
        "unit": "mmHg",
        "system": "http://unitsofmeasure.org",
        "code": "mm[Hg]",
    }
    assert codes(diastolic["code"]) == {"96609-3", "8462-4"}
    assert "dataAbsentReason" in diastolic
    assert number["valueQuantity"]["value"] == 5
    assert [one.get("reference") for one in found["derivedFrom"]] == ["Observation/a", None]


def test_an_average_of_ours_that_comes_back_is_no_reading() -> None:
    import orjson

    [outcome] = parse(orjson.dumps(observation()))
    assert isinstance(outcome, Rejection)
    assert outcome.reason == "average"


def test_the_same_days_have_the_same_id() -> None:
    assert observation()["id"] == observation()["id"] != observation("p-2")["id"]


@pytest.mark.parametrize("status", ["open", "escalated", "acknowledged", "resolved"])
@pytest.mark.parametrize("patient_id", ["p-1", "http://hospital.example.org/mrn|17"])
def test_alerts_are_valid_flags_and_communications(status: Status, patient_id: str) -> None:
    known = {"acknowledged_by": "nurse", "acknowledged_because": "called"} if status == "acknowledged" else {}
    if status == "acknowledged":
        known["acknowledged_at"] = "2026-03-02T09:00:00.000Z"
    one = event(status, patient_id=patient_id, **known)
    for resource in (flag(one), communication(one)):
        validate(resource)
        assert "reference" in resource["subject"] if patient_id == "p-1" else "identifier" in resource["subject"]
    assert flag(one)["status"] == ("inactive" if status == "resolved" else "active")
    assert communication(one)["priority"] == "stat"


def test_a_notification_is_a_valid_bundle_that_begins_with_its_status() -> None:
    resources = [flag(event()), communication(event())]
    bundle = notification_bundle(resources, "http://w/fhir/Subscription/1", 7, "http://w/fhir", "2026-03-02T08:00:00Z")
    validate(bundle)
    status, *entries = [entry["resource"] for entry in bundle["entry"]]
    validate(status)
    assert (status["type"], status["eventsSinceSubscriptionStart"]) == ("event-notification", "7")
    assert entries == resources
