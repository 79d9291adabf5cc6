"""Carry a patient's state from one reading to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bp_faust.clinical.judgement import Judgement
from bp_faust.clinical.times import timestamp
from bp_faust.models import Anomaly, Entry, Latest, PatientState, Reading, Seen

#: How far along its life an Observation is, where its versions are not numbered or dated
#: (http://hl7.org/fhir/ValueSet/observation-status): a correction comes after what it corrects, a withdrawal last.
_STATUS_RANK = {
    "unknown": 0,
    "registered": 1,
    "preliminary": 2,
    "final": 3,
    "amended": 4,
    "corrected": 5,
    "cancelled": 6,
    "entered-in-error": 7,
}
#: What takes a reading back.
WITHDRAWN = frozenset({"cancelled", "entered-in-error"})

#: What is judged of a reading that does not count.
NOTHING = Judgement("", ())

#: Yields the observation ids and entries of all readings of a patient, given the patient's id.
Entries = Callable[[str], Iterable[tuple[str, Entry]]]


def version_order(reading: Reading) -> tuple[float, float, int, float, int, int]:
    """Return what orders the versions of one Observation, in whatever order they arrive.

    ``meta.versionId`` where it is a number, then ``meta.lastUpdated``, then the status's place in the life cycle, then
    the time and place at which Kafka received it. A withdrawal with neither version nor time takes back all versions.
    """
    version = reading.version
    partition, offset = reading.position
    if version is not None and version.isdecimal() and len(version) < 16:
        number = float(version)
    elif reading.status in WITHDRAWN and reading.last_updated is None:
        number = float("inf")
    else:
        number = -1.0
    return (
        number,
        reading.last_updated if reading.last_updated is not None else float("-inf"),
        _STATUS_RANK.get(reading.status, 0),
        reading.received,
        partition,
        offset,
    )


def step(
    state: PatientState,
    known: Entry | None,
    reading: Reading,
    judge: Callable[[Reading], Judgement],
    entries: Entries,
) -> tuple[Entry, Anomaly | None] | None:
    """Count a reading: change ``state`` (the caller's own copy) and return its new entry and what to tell the world.

    Returns None where the reading is known already, or is older than what is known of the same Observation. ``entries``
    is asked only where the latest reading is taken back and the one before it must be found.
    """
    order = version_order(reading)
    if known is not None and order <= known.order:
        return None
    systolic, diastolic = reading.systolic, reading.diastolic
    time = reading.effective if reading.effective is not None else reading.received
    counted = reading.status not in WITHDRAWN and "implausible" not in reading.flags
    found = judge(reading) if counted else NOTHING
    entry = Entry(
        systolic,
        diastolic,
        time,
        order,
        found.anomaly_type,
        counted,
        reading.flags,
        found.rules,
        found.high,
        found.low,
    )
    identity = reading.observation_id or ""
    if known is not None:
        uncount(state, known)
    _count(state, entry, reading)
    _follow_latest(state, known, reading.patient_id, identity, entry, entries)
    _follow_oldest(state, known, reading.patient_id, identity, entry, entries)
    if found.anomaly_type is None and (known is None or known.anomaly_type is None):
        return entry, None
    if known is not None and _same_finding(known, entry):
        return entry, None
    anomaly = Anomaly(
        reading.patient_id, identity, systolic, diastolic, found.anomaly_type, timestamp(time), found.encoded
    )
    return entry, anomaly


def seen(identity: str, entry: Entry | None) -> Seen | None:
    """Return what alerts see of a reading: nothing of one that does not count, or that was made very long ago."""
    if entry is None or not entry.counted or "very-old" in entry.flags:
        return None
    # One from the future would be the last one for as long as its clock is ahead.
    time = entry.order[3] if "future" in entry.flags else entry.time
    return Seen(time, identity, entry.high, entry.low)


def _same_finding(known: Entry, entry: Entry) -> bool:
    return (known.systolic, known.diastolic, known.time, known.anomaly_type, known.rules) == (
        entry.systolic,
        entry.diastolic,
        entry.time,
        entry.anomaly_type,
        entry.rules,
    )


def _count(state: PatientState, entry: Entry, reading: Reading) -> None:
    if entry.counted:
        state.readings += 1
        if entry.anomaly_type is not None:
            state.anomalies[entry.anomaly_type] = state.anomalies.get(entry.anomaly_type, 0) + 1
        for rule in entry.rules:
            state.findings[rule] = state.findings.get(rule, 0) + 1
    elif reading.status not in WITHDRAWN:
        state.implausible += 1


def uncount(state: PatientState, known: Entry) -> None:
    """Take a reading out of the counts again."""
    if known.counted:
        state.readings -= 1
        if known.anomaly_type is not None:
            _one_less(state.anomalies, known.anomaly_type)
        for rule in known.rules:
            _one_less(state.findings, rule)
    elif known.order[2] < _STATUS_RANK["cancelled"]:
        state.implausible -= 1


def _one_less(counts: dict[str, int], name: str) -> None:
    left = counts[name] - 1
    if left:
        counts[name] = left
    else:
        del counts[name]


def _follow_latest(
    state: PatientState, known: Entry | None, patient_id: str, identity: str, entry: Entry, entries: Entries
) -> None:
    latest = state.latest
    if latest is not None and known is not None and latest.observation_id == identity:
        latest = None
        for other_identity, other in entries(patient_id):
            if other_identity != identity:
                latest = _later(latest, other_identity, other)
    state.latest = _later(latest, identity, entry)


def _follow_oldest(
    state: PatientState, known: Entry | None, patient_id: str, identity: str, entry: Entry, entries: Entries
) -> None:
    if known is not None and known.counted and known.time == state.oldest:
        times = [
            other.time for other_identity, other in entries(patient_id) if other.counted and other_identity != identity
        ]
        state.oldest = min(times, default=None)
    if entry.counted and (state.oldest is None or entry.time < state.oldest):
        state.oldest = entry.time


def _later(latest: Latest | None, identity: str, entry: Entry) -> Latest | None:
    """Return the later of two readings; of two at the same time the one with the greater id, whatever came first.

    One from the future would stay the latest for as long as its clock is ahead.
    """
    if not entry.counted or "future" in entry.flags:
        return latest
    if latest is not None and (latest.time, latest.observation_id) > (entry.time, identity):
        return latest
    return Latest(identity, entry.systolic, entry.diastolic, entry.time, entry.anomaly_type)
