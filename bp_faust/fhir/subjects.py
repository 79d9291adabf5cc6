"""Tell whose Observation it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from bp_faust.fhir.identifiers import is_usable
from bp_faust.fhir.reasons import Reason
from bp_faust.fhir.refusals import RefusedError, below, member, objects

#: ``[base/]Type/id[/_history/version]`` (http://hl7.org/fhir/R4/references.html#literal).
_LITERAL = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/([^/?#]+)(?:/_history/[^/?#]+)?")
_CONDITIONAL = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)\?identifier=([^&]+)")
_URN = re.compile(r"urn:(?:uuid|oid):(.+)")
_LONGEST_REFERENCE = 2048

#: A FHIR date: a year, a month or a day (http://hl7.org/fhir/R4/datatypes.html#date).
_DATE = re.compile(r"[12][0-9]{3}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")

_LONGEST_DATE = len("1950-06-15")


class Neighbours(NamedTuple):
    """Hold what else is in an Observation's Bundle, as far as it tells of patients."""

    #: The resources by their fullUrl.
    resources: Mapping[str, dict[str, object]] = {}
    #: The patients' birth dates by their id.
    birth_dates: Mapping[str, str] = {}


NOBODY_ELSE = Neighbours()


def patient_id(
    observation: dict[str, object], path: str, patient: dict[str, object] | None, neighbours: Neighbours
) -> str:
    """Return the id of an Observation's patient.

    That is the id in ``subject.reference``, else ``system|value`` of ``subject.identifier``, else the id of the
    envelope's ``patient``. A contained Patient counts by its identifier, since its id means nothing outside the
    Observation. ``path`` is the Observation's. Raises RefusedError where there is none, where the envelope's patient is
    another one, and where the subject is no Patient.
    """
    subject = member(observation, "subject", dict, path) or {}
    place = below(path, "subject")
    if member(subject, "type", str, place) not in (None, "Patient", "http://hl7.org/fhir/StructureDefinition/Patient"):
        raise RefusedError(Reason.SUBJECT_NOT_PATIENT, below(place, "type"))
    given = _envelope_id(patient)
    reference = member(subject, "reference", str, place)
    if reference:
        named = _referenced(reference, path, neighbours)
        if named is not None:
            if given is not None and given != named:
                raise RefusedError(Reason.PATIENT_MISMATCH, below(place, "reference"))
            return _usable(named, below(place, "reference"))
    identifier = member(subject, "identifier", dict, place)
    if identifier is not None:
        identified = _identified(identifier, below(place, "identifier"))
        if identified is not None:
            _agree(identified, patient, below(place, "identifier"))
            return _usable(identified, below(place, "identifier"))
    if reference and reference.startswith("#"):
        contained = _contained(reference, observation, path)
        if contained is not None:
            _agree(contained, patient, below(place, "reference"))
            return _usable(contained, below(place, "reference"))
    if given is not None:
        return _usable(given, "patient.id")
    for identifier in objects(patient or {}, "identifier", "patient"):
        identified = _identified(identifier, "patient.identifier")
        if identified is not None:
            return _usable(identified, "patient.identifier")
    raise RefusedError(Reason.PATIENT_MISSING, place)


def birth_date(patient: dict[str, object]) -> str | None:
    """Return the birth date that a Patient has, None where that is absent or none."""
    found = patient.get("birthDate")
    return known_birth_date(found) if isinstance(found, str) else None


def known_birth_date(text: str) -> str | None:
    """Return a birth date if it is one; what is none keeps no reading from being read."""
    # Each that is looked at is remembered, and a longer one might not fit into memory.
    return _remembered(text) if len(text) <= _LONGEST_DATE else None


@lru_cache(maxsize=65_536)
def _remembered(birth_date: str) -> str | None:
    return birth_date if _DATE.fullmatch(birth_date) else None


def _envelope_id(patient: dict[str, object] | None) -> str | None:
    if patient is None:
        return None
    if member(patient, "resourceType", str, "patient") not in (None, "Patient"):
        raise RefusedError(Reason.SUBJECT_NOT_PATIENT, "patient.resourceType")
    return member(patient, "id", str, "patient")


def _referenced(reference: str, path: str, neighbours: Neighbours) -> str | None:
    place = below(below(path, "subject"), "reference")
    if len(reference) > _LONGEST_REFERENCE:
        raise RefusedError(Reason.ID_INVALID, place)
    if reference.startswith("#"):
        return None
    resource = neighbours.resources.get(reference)
    if resource is not None:
        if resource.get("resourceType") != "Patient":
            raise RefusedError(Reason.SUBJECT_NOT_PATIENT, place)
        identity = resource.get("id")
        if isinstance(identity, str):
            return identity
    for pattern in (_LITERAL, _CONDITIONAL):
        match = pattern.fullmatch(reference)
        if match is not None:
            if match[1] != "Patient":
                raise RefusedError(Reason.SUBJECT_NOT_PATIENT, place)
            return match[2] if pattern is _LITERAL else unquote(match[2])
    match = _URN.fullmatch(reference)
    if match is None:
        raise RefusedError(Reason.PATIENT_MISSING, place, "The subject's reference is no reference to a Patient.")
    return match[1]


def _contained(reference: str, observation: dict[str, object], path: str) -> str | None:
    for index, resource in enumerate(objects(observation, "contained", path)):
        if resource.get("id") == reference[1:]:
            if resource.get("resourceType") != "Patient":
                raise RefusedError(Reason.SUBJECT_NOT_PATIENT, below(path, "subject.reference"))
            place = f"{below(path, 'contained')}[{index}]"
            for identifier in objects(resource, "identifier", place):
                identified = _identified(identifier, below(place, "identifier"))
                if identified is not None:
                    return identified
    return None


def _identified(identifier: dict[str, object], path: str) -> str | None:
    value = member(identifier, "value", str, path)
    return f"{member(identifier, 'system', str, path) or ''}|{value}" if value else None


def _agree(identified: str, patient: dict[str, object] | None, path: str) -> None:
    """Refuse where the envelope's patient has identifiers, and none is the subject's."""
    known = [
        _identified(identifier, "patient.identifier") for identifier in objects(patient or {}, "identifier", "patient")
    ]
    if known and identified not in known:
        raise RefusedError(Reason.PATIENT_MISMATCH, path)


def _usable(identity: str, path: str) -> str:
    if not is_usable(identity):
        raise RefusedError(Reason.ID_INVALID, path)
    return identity
