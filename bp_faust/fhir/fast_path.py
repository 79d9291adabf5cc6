"""Read the common record quickly: an envelope or an Observation with two pressures in mmHg.

What is in any way unusual is left to the general path. A record that is read here is read there alike; a property test
holds the two to it. A sender repeats the same few texts, so what a code or a component says is remembered by its bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from bp_faust.fhir.codes import BLOOD_PRESSURE, Meaning
from bp_faust.fhir.flags import IMPLAUSIBLE
from bp_faust.fhir.identifiers import GREATEST_ID_LENGTH
from bp_faust.fhir.options import ParseOptions
from bp_faust.fhir.statuses import IN_FORCE
from bp_faust.fhir.subjects import known_birth_date
from bp_faust.fhir.times import TimeUnreadableError, seconds_since_1970
from bp_faust.fhir.units import UCUM
from bp_faust.models import Reading

_ABSENT = msgspec.Raw()
_NUMBER = re.compile(rb'"[1-9][0-9]{0,2}(?:\.[0-9]+)?"|[1-9][0-9]{0,2}(?:\.[0-9]+)?')
_PATIENT_TYPES = ("Patient", None)
#: Decimals as long as this lie on the same side of every whole number as their nearest float.
_EXACT_LENGTH = 15
#: No common record is longer, in bytes; and of longer ones what is remembered might not fit into memory.
_LONGEST_COMMON = 16 * 1024


class _Coding(msgspec.Struct, gc=False):
    system: str | None = None
    code: str | None = None


class _CodeableConcept(msgspec.Struct, gc=False):
    coding: list[_Coding] = []


class _Reference(msgspec.Struct, gc=False):
    reference: str | None = None
    type: str | None = None


class _Quantity(msgspec.Struct, gc=False):
    value: msgspec.Raw = _ABSENT
    unit: str | None = None
    system: str | None = None
    code: str | None = None
    comparator: msgspec.Raw = _ABSENT


class _Component(msgspec.Struct, gc=False):
    code: _CodeableConcept
    valueQuantity: _Quantity | None = None
    dataAbsentReason: msgspec.Raw = _ABSENT
    modifierExtension: msgspec.Raw = _ABSENT


class _Meta(msgspec.Struct, gc=False):
    versionId: str | None = None
    lastUpdated: str | None = None


class _Observation(msgspec.Struct, gc=False):
    resourceType: str | None = None
    id: str | None = None
    status: str | None = None
    meta: _Meta | None = None
    code: msgspec.Raw = _ABSENT
    subject: _Reference | None = None
    effectiveDateTime: str | None = None
    effectivePeriod: msgspec.Raw = _ABSENT
    effectiveInstant: msgspec.Raw = _ABSENT
    effectiveTiming: msgspec.Raw = _ABSENT
    component: list[msgspec.Raw] | None = None
    implicitRules: msgspec.Raw = _ABSENT
    modifierExtension: msgspec.Raw = _ABSENT


class _Patient(msgspec.Struct, gc=False):
    resourceType: str | None = None
    id: str | None = None
    birthDate: str | None = None


class _Record(_Observation, gc=False):
    patient: _Patient | None = None
    observation: _Observation | None = None


_decode = msgspec.json.Decoder(_Record).decode
_decode_code = msgspec.json.Decoder(_CodeableConcept).decode
_decode_component = msgspec.json.Decoder(_Component).decode


def read(raw: bytes, options: ParseOptions) -> Reading | None:
    """Return the reading of a common record, None for any other."""
    if len(raw) > _LONGEST_COMMON:
        return None
    try:
        if not raw.isascii():
            raw.decode()
        return _read_record(_decode(raw), options)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TimeUnreadableError):
        return None


def _read_record(record: _Record, options: ParseOptions) -> Reading | None:
    patient = record.patient
    observation: _Observation | None = record.observation
    if observation is None:
        if patient is not None or record.resourceType != "Observation":
            return None
        observation = record
    elif record.resourceType is not None or (
        observation.resourceType != "Observation" and observation.resourceType is not None
    ):
        return None
    return _read_observation(observation, patient, options)


def _read_observation(observation: _Observation, patient: _Patient | None, options: ParseOptions) -> Reading | None:
    subject, identity, code, components = observation.subject, observation.id, observation.code, observation.component
    if (
        observation.status not in IN_FORCE
        or subject is None
        or subject.reference is None
        or (subject.type is not None and subject.type != "Patient")
        or components is None
        or observation.implicitRules
        or observation.modifierExtension
        or not _may_be_a_panel(bytes(code))
    ):
        return None
    patient_id = _patient_id(subject.reference)
    if patient_id is None or (
        patient is not None and (patient.id != patient_id or patient.resourceType not in _PATIENT_TYPES)
    ):
        return None
    if identity is not None and not (0 < len(identity) <= GREATEST_ID_LENGTH and identity.isprintable()):
        return None

    systolic = diastolic = None
    for component in components:
        meaning, pressure = _meaning_and_pressure(bytes(component))
        if meaning is Meaning.SYSTOLIC:
            if systolic is not None or pressure is None:
                return None
            systolic = pressure
        elif meaning is Meaning.DIASTOLIC:
            if diastolic is not None or pressure is None:
                return None
            diastolic = pressure
        elif meaning is not None:
            return None
    if systolic is None or diastolic is None:
        return None

    meta = observation.meta
    version = last_updated = effective = None
    if observation.effectiveDateTime is not None:
        effective = seconds_since_1970(observation.effectiveDateTime, options.default_time_zone)
    elif observation.effectivePeriod or observation.effectiveInstant or observation.effectiveTiming:
        return None
    if meta is not None:
        version = meta.versionId
        if version is not None and not (0 < len(version) <= GREATEST_ID_LENGTH and version.isprintable()):
            return None
        if meta.lastUpdated is not None:
            last_updated = seconds_since_1970(meta.lastUpdated, options.default_time_zone)

    low, high = options.systolic_limits
    plausible = low <= systolic <= high and systolic > diastolic
    low, high = options.diastolic_limits
    plausible = plausible and low <= diastolic <= high
    flags = () if plausible or not options.flag_implausible else (IMPLAUSIBLE,)
    reading = Reading(
        patient_id, identity, observation.status, systolic, diastolic, effective, version, last_updated, flags
    )
    if patient is not None and patient.birthDate is not None:
        reading.birth_date = known_birth_date(patient.birthDate)
    return reading


def _patient_id(reference: str) -> str | None:
    identity = reference[8:]
    if reference[:8] != "Patient/" or "/" in identity or "?" in identity or "#" in identity:
        return None
    return identity if 0 < len(identity) <= GREATEST_ID_LENGTH and identity.isprintable() else None


@lru_cache(maxsize=256)
def _may_be_a_panel(code: bytes) -> bool:
    """Tell whether an Observation's code, as JSON, leaves room for a panel of two pressures."""
    for coding in _decode_code(code).coding:
        known = BLOOD_PRESSURE.get(coding.code)
        if known is not None and known[1] is not Meaning.PANEL:
            return False
    return True


@lru_cache(maxsize=4096)
def _meaning_and_pressure(text: bytes) -> tuple[Meaning | None, float | None]:
    """Return what a component, as JSON, measures, and its pressure in mmHg.

    The pressure is None where only the general path can tell, or there is none.
    """
    component = _decode_component(text)
    meaning = None
    for coding in component.code.coding:
        known = BLOOD_PRESSURE.get(coding.code)
        if known is not None and (coding.system == known[0] or coding.system is None):
            if meaning is not None and meaning is not known[1]:
                return meaning, None
            meaning = known[1]
    return meaning, _mmhg(component) if meaning is not None else None


def _mmhg(component: _Component) -> float | None:
    quantity = component.valueQuantity
    if (
        quantity is None
        or not (quantity.code == "mm[Hg]" or (quantity.code is None and quantity.unit == "mmHg"))
        or not (quantity.system == UCUM or quantity.system is None)
        or quantity.comparator
        or component.dataAbsentReason
        or component.modifierExtension
    ):
        return None
    token = bytes(quantity.value)
    return _number(token) if len(token) <= _EXACT_LENGTH else None


@lru_cache(maxsize=8192)
def _number(token: bytes) -> float | None:
    return float(token.strip(b'"')) if _NUMBER.fullmatch(token) is not None else None
