"""Read and write the records of the topic on which people set things for patients and cohorts."""

from __future__ import annotations

from datetime import datetime

import msgspec

from bp_faust.fhir.subjects import known_birth_date
from bp_faust.models import PatientSettings
from bp_faust.signals import SetCohort, SetPatient

_MOST_MMHG = 400
_MOST_DAYS = 366


class PatientSettingsError(ValueError):
    """Say what is wrong with a setting."""


def setting_key(patient_id: str | None, cohort: str | None) -> bytes:
    """Return the key of a patient's or a cohort's record."""
    return f"patient/{patient_id}".encode() if patient_id is not None else f"cohort/{cohort}".encode()


def read_setting(key: bytes | None, value: bytes | None, time: float) -> SetPatient | SetCohort:
    """Return what a record sets; raise PatientSettingsError where it sets nothing that is known.

    The key is ``patient/<id>`` or ``cohort/<name>``, the value JSON, or nothing to remove all; the time is the
    record's, in seconds since 1970.
    """
    try:
        kind, _, name = (key or b"").decode().partition("/")
    except UnicodeDecodeError as exc:
        raise PatientSettingsError("The key is no text: write `patient/<id>` or `cohort/<name>`") from exc
    if kind not in ("patient", "cohort") or not name:
        raise PatientSettingsError("The key is neither `patient/<id>` nor `cohort/<name>`")
    settings = None
    if value is not None:
        try:
            settings = msgspec.json.decode(value, type=PatientSettings)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise PatientSettingsError(f"The value is not what can be set: {exc}") from exc
        check(settings, of_cohort=kind == "cohort")
    return SetPatient(name, settings, time) if kind == "patient" else SetCohort(name, settings, time)


def check(settings: PatientSettings, *, of_cohort: bool) -> None:
    """Raise PatientSettingsError where a setting cannot be meant."""
    if of_cohort and (settings.cohort is not None or settings.birth_date is not None):
        raise PatientSettingsError("A cohort has neither a cohort nor a birth date")
    if settings.birth_date is not None and known_birth_date(settings.birth_date) is None:
        raise PatientSettingsError("birth_date is no date: write 1950, 1950-06 or 1950-06-15")
    if settings.muted_until is not None:
        try:
            until = datetime.fromisoformat(settings.muted_until.replace("Z", "+00:00"))
        except ValueError as exc:
            raise PatientSettingsError("muted_until is no time: write 2026-07-01T08:00:00Z") from exc
        if until.tzinfo is None:
            raise PatientSettingsError("muted_until names no time zone: write 2026-07-01T08:00:00Z")
    if settings.measure_every_days is not None and not 1 <= settings.measure_every_days <= _MOST_DAYS:
        raise PatientSettingsError(f"measure_every_days is not between 1 and {_MOST_DAYS}")
    limits = settings.thresholds
    if limits is not None:
        values = (limits.systolic_above, limits.systolic_below, limits.diastolic_above, limits.diastolic_below)
        if not all(value is None or 0 < value < _MOST_MMHG for value in values):
            raise PatientSettingsError(f"A threshold is not between 0 and {_MOST_MMHG} mmHg")
        for name, above, below in (
            ("systolic", limits.systolic_above, limits.systolic_below),
            ("diastolic", limits.diastolic_above, limits.diastolic_below),
        ):
            if above is not None and below is not None and below >= above:
                raise PatientSettingsError(f"{name}_below, {below:g}, is not below {name}_above, {above:g}")
