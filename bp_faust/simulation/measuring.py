"""Measure a person's pressure as FHIR, with what goes wrong on the way and is put right later."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any, NamedTuple

from bp_faust.fhir.resources import envelope, observation
from bp_faust.simulation.people import Person, identity
from bp_faust.simulation.pressures import Pressure, scattered
from bp_faust.simulation.scenario import Errors

#: http://hl7.org/fhir/StructureDefinition/bp, the profile that readings in mmHg keep.
PROFILE = "http://hl7.org/fhir/StructureDefinition/bp"

#: Standard deviation between the readings of a person. The 7.7 mmHg are those between visits in NHANES III (Muntner P
#: et al., Hypertension 2011, PMID 21200000); the diastolic one is ours.
_BETWEEN_READINGS = Pressure(7.7, 5)

#: Whoever the cuff was on instead: ours.
_ANYONE = Pressure(124, 72)
_BETWEEN_ANYONE = Pressure(18, 11)

#: What a cuff can tell, and by how much the two pressures differ at least: ours.
_LOWEST, _HIGHEST = Pressure(60, 40), 290
_LEAST_PULSE = 15

#: How many minutes later an error is put right, and how many readings without one of the values are completed: ours.
_PUT_RIGHT_MINUTES = (5.0, 90.0)
_COMPLETED = 0.5

#: Kilopascals per mmHg.
_KILOPASCALS = 0.1333224

_DATA_ABSENT = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
            "code": "error",
            "display": "Error",
        }
    ]
}


class Version(NamedTuple):
    """Hold a message of the ingest topic, and when it is sent: a reading, or what it becomes later."""

    at: datetime
    message: dict[str, Any]


def measured(person: Person, at: datetime, expected: Pressure, errors: Errors, seed: int) -> list[Version]:
    """Return a reading at a time, scattered around what is expected, and what becomes of it, if anything.

    The same person, time and seed give the same reading, id included.
    """
    made = at.isoformat()
    random = Random(f"reading {seed} {person.number} {made}")
    identifier = identity(random)
    right = _plausible(scattered(expected, _BETWEEN_READINGS, random))
    error = _drawn(errors, random)
    delay = timedelta(seconds=round(60 * random.uniform(*_PUT_RIGHT_MINUTES)))

    def version(number: int, status: str, systolic: float | None, diastolic: float | None, unit: str = "") -> Version:
        then = at if number == 1 else (at.astimezone(timezone.utc) + delay).astimezone(at.tzinfo)
        resource = _observation(person, identifier, made, (systolic, diastolic), in_kilopascals=unit == "kPa")
        resource["status"] = status
        resource["meta"].update(versionId=str(number), lastUpdated=made if number == 1 else then.isoformat())
        return Version(then, envelope(person.resource, resource))

    if error is None:
        return [version(1, "final", *right)]
    if error == "one_missing":
        completed = [version(2, "amended", *right)] if random.random() < _COMPLETED else []
        return [version(1, "final", right[0], None), *completed]
    if error == "both_missing":
        return [version(1, "final", None, None)]
    if error == "kilopascals":
        return [version(1, "final", *right, unit="kPa")]
    if error == "mistyped":
        return [version(1, "final", *mistyped(right, random)), version(2, "corrected", *right)]
    other = _plausible(scattered(_ANYONE, _BETWEEN_ANYONE, random))
    return [version(1, "final", *other), version(2, "entered-in-error", *other)]


def mistyped(right: tuple[int, int], random: Random) -> tuple[int, int]:
    """Return other pressures than the right ones: the two in each other's place, or two digits of the systolic one."""
    systolic, diastolic = right
    text = str(systolic)
    place = random.randrange(len(text))
    if place + 1 < len(text):
        turned = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        if turned != text and turned[0] != "0":
            return int(turned), diastolic
    return diastolic, systolic


def _drawn(errors: Errors, random: Random) -> str | None:
    chance = random.random()
    for name in errors.__struct_fields__:
        chance -= getattr(errors, name)
        if chance < 0:
            return name
    return None


def _plausible(pressure: Pressure) -> tuple[int, int]:
    systolic = min(max(round(pressure.systolic), round(_LOWEST.systolic)), _HIGHEST)
    return systolic, min(max(round(pressure.diastolic), round(_LOWEST.diastolic)), systolic - _LEAST_PULSE)


def _observation(
    person: Person, identifier: str, made: str, values: tuple[float | None, float | None], *, in_kilopascals: bool
) -> dict[str, Any]:
    systolic, diastolic = values
    resource = observation(
        person.identity, systolic or 0, diastolic or 0, identity=identifier, effective=made, simulated=True
    )
    if not in_kilopascals:
        resource["meta"]["profile"] = [PROFILE]
    for part, value in zip(resource["component"], values, strict=True):
        if value is None:
            del part["valueQuantity"]
            part["dataAbsentReason"] = _DATA_ABSENT
        elif in_kilopascals:
            part["valueQuantity"].update(value=round(value * _KILOPASCALS, 1), unit="kPa", code="kPa")
    return resource
