"""Build FHIR records for the tests, each from a complete one and what is different about it."""

from __future__ import annotations

import copy
import json
from typing import Any

from bp_faust import fhir
from bp_faust.models import Reading, Rejection

LOINC = "http://loinc.org"
SNOMED_CT = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"

Json = dict[str, Any]


def concept(*codings: tuple[str | None, str]) -> Json:
    return {"coding": [{"system": system, "code": code} if system else {"code": code} for system, code in codings]}


def quantity(value: Any, **others: Any) -> Json:
    """Return a Quantity in mmHg; a member that is None is left out."""
    built = {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]", **others}
    return {name: member for name, member in built.items() if member is not None}


def component(loinc: str, value: Any = None, **others: Any) -> Json:
    built = {"code": concept((LOINC, loinc)), "valueQuantity": quantity(value), **others}
    return {name: member for name, member in built.items() if member is not None}


def observation(systolic: Any = 120, diastolic: Any = 80, **others: Any) -> Json:
    """Return an Observation of patient p1; a member that is None is left out."""
    built = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": concept((LOINC, "85354-9")),
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2012-07-01",
        "component": [component("8480-6", systolic), component("8462-4", diastolic)],
        **others,
    }
    return copy.deepcopy({name: member for name, member in built.items() if member is not None})


def envelope(inner: Json | None = None, **others: Any) -> Json:
    built = {
        "patient": {"resourceType": "Patient", "id": "p1"},
        "observation": observation() if inner is None else inner,
        **others,
    }
    return {name: member for name, member in built.items() if member is not None}


def bundle(kind: str, *entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def parse(record: Any, **options: Any) -> list[Reading | Rejection]:
    return fhir.parse(json.dumps(record).encode(), fhir.ParseOptions(**options))


def only(record: Any, **options: Any) -> Reading | Rejection:
    (outcome,) = parse(record, **options)
    return outcome


def reading(record: Any, **options: Any) -> Reading:
    outcome = only(record, **options)
    assert isinstance(outcome, Reading), outcome
    return outcome


def rejection(record: Any, **options: Any) -> Rejection:
    outcome = only(record, **options)
    assert isinstance(outcome, Rejection), outcome
    return outcome


def refused(record: Any, **options: Any) -> tuple[str, str]:
    """Return reason and path of a record's one refusal."""
    found = rejection(record, **options)
    return found.reason, found.path
