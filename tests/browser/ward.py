"""Make up patients for the tests of the page."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone
from typing import Any

from tests import oracle

#: What a page must show as it is, and do nothing with.
SCRIPT = "<script>alert(1)</script>"


def hours_ago(hours: float) -> str:
    """Return a time before now, as FHIR writes it."""
    return (datetime.now(timezone.utc) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def reading(patient: str, systolic: float, diastolic: float, hours: float = 0.0) -> dict[str, Any]:
    """Return a reading made so many hours ago; the patient's id may be anything."""
    made = oracle.envelope(patient, systolic, diastolic, effective=hours_ago(hours))
    del made["observation"]["subject"]  # a reference could not hold everything
    return made


def without_known_unit(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return an envelope that is refused for the unit of its systolic pressure."""
    wrong = copy.deepcopy(envelope)
    wrong["observation"]["component"][0]["valueQuantity"] = {"value": 150, "unit": "mmH"}
    return wrong


def ward() -> list[Any]:
    """Return records of patients: a long history, an emergency, one too low, one with a script for a name."""
    history = [
        reading("ann", 132 + 14 * (number % 3) - number % 7, 84 + 4 * (number % 4), 8.0 * number)
        for number in range(40)
    ]
    return [
        *history,
        reading("bob", 192, 124, 1),
        reading("cyd", 84, 52, 2),
        reading(SCRIPT, 195, 126, 1),
        without_known_unit(reading("dan", 150, 95)),
        without_known_unit(reading(SCRIPT, 150, 95)),
        b'{"resourceType": "Observation", "status": ',
    ]
