"""Read one Observation, of whatever form FHIR allows."""

from __future__ import annotations

from bp_faust.fhir.codes import Meaning, meaning
from bp_faust.fhir.flags import COMPARATOR, IMPLAUSIBLE
from bp_faust.fhir.identifiers import is_usable
from bp_faust.fhir.options import ParseOptions
from bp_faust.fhir.quantities import has_value, pressure
from bp_faust.fhir.reasons import Reason
from bp_faust.fhir.refusals import RefusedError, below, member, objects
from bp_faust.fhir.statuses import IN_FORCE, WITHDRAWN
from bp_faust.fhir.subjects import NOBODY_ELSE, Neighbours, birth_date, patient_id
from bp_faust.fhir.times import TimeUnreadableError, seconds_since_1970
from bp_faust.models import Reading

_JUDGED = frozenset({Meaning.SYSTOLIC, Meaning.DIASTOLIC})

#: Where a pressure is: the Observation or component that has it, and its path.
_Place = tuple[dict[str, object], str]


def read_observation(
    observation: dict[str, object],
    path: str,
    options: ParseOptions,
    *,
    patient: dict[str, object] | None = None,
    neighbours: Neighbours = NOBODY_ELSE,
) -> Reading:
    """Return the reading that an Observation holds; raise RefusedError where it holds none.

    ``path`` is the Observation's in the record; ``patient`` is the envelope's, ``neighbours`` are the Bundle's. One
    that is withdrawn needs an id and a patient, and no values.
    """
    places = _pressures(observation, path)
    status = member(observation, "status", str, path)
    if status is None:
        raise RefusedError(Reason.STATUS_MISSING, below(path, "status"))
    if status not in IN_FORCE and status not in WITHDRAWN:
        raise RefusedError(Reason.STATUS_UNKNOWN, below(path, "status"))
    identity = member(observation, "id", str, path)
    if identity is not None and not is_usable(identity):
        raise RefusedError(Reason.ID_INVALID, below(path, "id"))
    whose = patient_id(observation, path, patient, neighbours)
    meta = member(observation, "meta", dict, path) or {}
    version = member(meta, "versionId", str, below(path, "meta"))
    if version is not None and not is_usable(version):
        raise RefusedError(Reason.ID_INVALID, below(path, "meta.versionId"))
    if status in WITHDRAWN:
        if identity is None:
            raise RefusedError(Reason.ID_MISSING, below(path, "id"))
        return Reading(
            whose,
            identity,
            status,
            None,
            None,
            _effective_if_readable(observation, path, options),
            version,
            optional_time(meta, "lastUpdated", below(path, "meta"), options),
        )
    for name in ("modifierExtension", "implicitRules"):
        _refuse_modifier(observation, name, path)
    systolic, diastolic, bound = _values(places, path, options)
    effective = effective_time(observation, path, options)
    last_updated = _time(meta, "lastUpdated", below(path, "meta"), options)
    flags = ((COMPARATOR,) if bound else ()) + (() if is_plausible(systolic, diastolic, options) else (IMPLAUSIBLE,))
    reading = Reading(whose, identity, status, systolic, diastolic, effective, version, last_updated, flags)
    reading.birth_date = neighbours.birth_dates.get(whose) if patient is None else birth_date(patient)
    return reading


def _pressures(observation: dict[str, object], path: str) -> dict[Meaning, list[_Place]]:
    """Return where the systolic and diastolic pressures are; raise RefusedError where it is no blood pressure."""
    root = _meanings(observation, path)
    if Meaning.AVERAGE in root:
        raise RefusedError(Reason.AVERAGE, below(path, "code"))
    places: dict[Meaning, list[_Place]] = {Meaning.SYSTOLIC: [], Meaning.DIASTOLIC: []}
    average = False
    for index, component in enumerate(objects(observation, "component", path)):
        place = f"{below(path, 'component')}[{index}]"
        meanings = _meanings(component, place)
        if Meaning.AVERAGE in meanings:
            average = True
        elif meanings >= _JUDGED:
            raise RefusedError(Reason.AMBIGUOUS, place)
        else:
            for found in meanings & _JUDGED:
                places[found].append((component, place))
    in_components = any(places.values())
    if not in_components and average:
        raise RefusedError(Reason.AVERAGE, below(path, "component"))
    if root >= _JUDGED:
        raise RefusedError(Reason.AMBIGUOUS, below(path, "code"))
    for found in root & _JUDGED:
        if has_value(observation) or not in_components:
            places[found].append((observation, path))
    if not root and not in_components and not _is_bare_withdrawal(observation):
        raise RefusedError(Reason.NOT_BLOOD_PRESSURE, below(path, "code"))
    return places


def _is_bare_withdrawal(observation: dict[str, object]) -> bool:
    status = observation.get("status")
    return isinstance(status, str) and status in WITHDRAWN and observation.get("code") is None


def _meanings(holder: dict[str, object], path: str) -> set[Meaning]:
    code = member(holder, "code", dict, path) or {}
    place = below(path, "code")
    found = {meaning(coding.get("system"), coding.get("code")) for coding in objects(code, "coding", place)}
    return {known for known in found if known is not None}


def _refuse_modifier(holder: dict[str, object], name: str, path: str) -> None:
    """Refuse what FHIR forbids to process without knowing it (http://hl7.org/fhir/R4/extensibility.html)."""
    if holder.get(name):
        raise RefusedError(Reason.MODIFIER_UNKNOWN, below(path, name))


def _values(
    places: dict[Meaning, list[_Place]], path: str, options: ParseOptions
) -> tuple[float | None, float | None, bool]:
    bound = False
    values: dict[Meaning, float | None] = {}
    for found, holders in places.items():
        if len(holders) > 1:
            raise RefusedError(Reason.AMBIGUOUS, holders[1][1])
        for holder, place in holders:
            _refuse_modifier(holder, "modifierExtension", place)
            values[found], is_bound = pressure(holder, place, options)
            bound = bound or is_bound
    systolic, diastolic = values.get(Meaning.SYSTOLIC), values.get(Meaning.DIASTOLIC)
    if systolic is None and diastolic is None:
        raise RefusedError(Reason.NO_VALUE, path)
    return systolic, diastolic, bound


def is_plausible(systolic: float | None, diastolic: float | None, options: ParseOptions) -> bool:
    """Return whether pressures in mmHg are within the options' limits, and the systolic one above the diastolic one.

    All are where the options flag none.
    """
    if not options.flag_implausible:
        return True
    for value, (low, high) in ((systolic, options.systolic_limits), (diastolic, options.diastolic_limits)):
        if value is not None and not low <= value <= high:
            return False
    return systolic is None or diastolic is None or systolic > diastolic


def effective_time(observation: dict[str, object], path: str, options: ParseOptions) -> float | None:
    """Return when it was measured in seconds since 1970, None where that is not said; raise RefusedError.

    Of a period the start counts, else the end; of a timing the first event, else the start of its bounds.
    """
    for name in ("effectiveDateTime", "effectiveInstant"):
        time = _time(observation, name, path, options)
        if time is not None:
            return time
    time = _period(observation, "effectivePeriod", path, options)
    if time is not None:
        return time
    timing = member(observation, "effectiveTiming", dict, path) or {}
    place = below(path, "effectiveTiming")
    for event in member(timing, "event", list, place) or []:
        if event is not None:
            return _time({"event[0]": event}, "event[0]", place, options)
    repeat = member(timing, "repeat", dict, place) or {}
    return _period(repeat, "boundsPeriod", below(place, "repeat"), options)


def _period(holder: dict[str, object], name: str, path: str, options: ParseOptions) -> float | None:
    period = member(holder, name, dict, path) or {}
    place = below(path, name)
    start = _time(period, "start", place, options)
    return start if start is not None else _time(period, "end", place, options)


def _time(holder: dict[str, object], name: str, path: str, options: ParseOptions) -> float | None:
    text = holder.get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        raise RefusedError(Reason.TIME_INVALID, below(path, name), "The time is not a string.")
    try:
        return seconds_since_1970(text, options.default_time_zone)
    except TimeUnreadableError as error:
        raise RefusedError(Reason.TIME_INVALID, below(path, name), f"The time cannot be read. {error}") from error


def optional_time(holder: dict[str, object], name: str, path: str, options: ParseOptions) -> float | None:
    """Return a member of a JSON object in seconds since 1970, None where it is absent or no time at all."""
    try:
        return _time(holder, name, path, options)
    except RefusedError:
        return None


def _effective_if_readable(observation: dict[str, object], path: str, options: ParseOptions) -> float | None:
    try:
        return effective_time(observation, path, options)
    except RefusedError:
        return None
