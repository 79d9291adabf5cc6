"""Know the truth independently: a plain fold over envelopes, which shares no code with the product."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any


def envelope(
    patient: str,
    systolic: Any,
    diastolic: Any,
    *,
    identity: str | None = None,
    effective: str | None = None,
    **observation: Any,
) -> dict[str, Any]:
    """Return an envelope as the seed's producer sends it."""
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": identity or str(uuid.uuid4()),
        "status": "final",
        "category": [
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9", "display": "Blood pressure panel"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "valueQuantity": {
                    "value": value,
                    "unit": "mmHg",
                    "system": "http://unitsofmeasure.org",
                    "code": "mm[Hg]",
                },
            }
            for code, value in (("8480-6", systolic), ("8462-4", diastolic))
        ],
    }
    if effective is not None:
        resource["effectiveDateTime"] = effective
    return {"patient": {"resourceType": "Patient", "id": patient}, "observation": {**resource, **observation}}


def random_envelopes(count: int, patients: int, seed: int) -> list[dict[str, Any]]:
    """Return readings of some patients, the same ones for the same seed."""
    return list(islice(endless_envelopes(patients, seed), count))


def endless_envelopes(patients: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield readings of some patients, the same ones for the same seed."""
    chance = random.Random(seed)
    while True:
        yield envelope(
            f"patient-{chance.randrange(patients)}",
            chance.randint(80, 180),
            chance.randint(50, 120),
            identity=str(uuid.UUID(int=chance.getrandbits(128))),
            effective=f"2026-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}T08:30:00Z",
        )


def values(found: dict[str, Any]) -> tuple[float, float]:
    """Return systolic and diastolic of an envelope."""
    systolic, diastolic = (part["valueQuantity"]["value"] for part in found["observation"]["component"])
    return float(systolic), float(diastolic)


def anomaly_type(systolic: float, diastolic: float) -> str | None:
    """Return the seed's verdict; there is none on what is implausible, as no heart beats with it."""
    if systolic <= diastolic:
        return None
    if systolic > 140 or diastolic > 90:
        return "Hypertension"
    if systolic < 90 or diastolic < 60:
        return "Hypotension"
    return None


def counts(envelopes: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Return the number of anomalies by patient and type, each Observation counted once."""
    found: dict[str, Counter[str]] = {}
    seen = set()
    for one in envelopes:
        patient, identity = one["patient"]["id"], one["observation"]["id"]
        if (patient, identity) in seen:
            continue
        seen.add((patient, identity))
        verdict = anomaly_type(*values(one))
        found.setdefault(patient, Counter())
        if verdict:
            found[patient][verdict] += 1
    return {patient: dict(of_patient) for patient, of_patient in found.items()}


def documents(envelopes: Iterable[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Return the anomalous readings: patient and Observation id to anomaly type."""
    found = {}
    for one in envelopes:
        verdict = anomaly_type(*values(one))
        if verdict:
            found[one["patient"]["id"], one["observation"]["id"]] = verdict
    return found
