"""Declare what is remembered: a table of patients and of their readings, and one of refusals by reason.

A key of the first is ``patient/<patient id>`` or ``reading/<patient id>/<observation id>``, with ``%`` and ``/`` within
an id as ``%25`` and ``%2F``; both kinds of a patient lie in the same partition and change in the same batch. There are
also ``expected/<patient id>`` with the time since which a patient is to measure regularly, ``unsettled/<patient id>``
with the time of a reading that came too late for the alerts, ``alerted/<patient id>`` with the time since which a
patient has alerts that are not resolved, and, in every partition, ``cohort/<name>`` and ``totals/`` with what its
patients make together. A key of the second is ``reason/<reason code>``, ``refused-up-to/<topic>/<partition>`` with the
offset behind the last that is counted, or ``replayed/<topic>/<partition>/<offset>`` with when what was refused there
was last sent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bp_faust.app import app
from bp_faust.clinical.totals import Totals
from bp_faust.encoding import Versioned
from bp_faust.models import Entry, PatientSettings, PatientState

_PATIENT = b"patient/"
_READING = b"reading/"
_EXPECTED = b"expected/"
_COHORT = b"cohort/"
_UNSETTLED = b"unsettled/"
_ALERTED = b"alerted/"
#: The key of what a partition's patients make together.
TOTALS_KEY = b"totals/"
_REASON = b"reason/"

patient_states: Versioned[PatientState] = Versioned(PatientState)
entries: Versioned[Entry] = Versioned(Entry)
expectations: Versioned[float] = Versioned(float)
cohorts: Versioned[PatientSettings] = Versioned(PatientSettings)
totals: Versioned[Totals] = Versioned(Totals)
refusal_counts: Versioned[int] = Versioned(int)


def patient_key(patient_id: str) -> bytes:
    """Return the key of a patient's state."""
    return _PATIENT + _escaped(patient_id)


def reading_prefix(patient_id: str) -> bytes:
    """Return the beginning of the keys of a patient's readings."""
    return _READING + _escaped(patient_id) + b"/"


def reading_key(patient_id: str, observation_id: str) -> bytes:
    """Return the key of a reading."""
    both = patient_id + observation_id
    if "/" in both or "%" in both:
        return reading_prefix(patient_id) + _escaped(observation_id)
    return f"reading/{patient_id}/{observation_id}".encode()


def expected_key(patient_id: str) -> bytes:
    """Return the key of the time since which a patient is to measure regularly."""
    return _EXPECTED + _escaped(patient_id)


def cohort_key(name: str) -> bytes:
    """Return the key of a cohort's settings."""
    return _COHORT + _escaped(name)


def unsettled_key(patient_id: str) -> bytes:
    """Return the key of the note that a patient's alerts are to be settled."""
    return _UNSETTLED + _escaped(patient_id)


def alerted_key(patient_id: str) -> bytes:
    """Return the key of the time since which a patient has alerts that are not resolved."""
    return _ALERTED + _escaped(patient_id)


def patient_of(key: bytes) -> str:
    """Return the patient's id in the key of a patient's state, or of what is expected of one."""
    return _unescaped(key[key.index(b"/") + 1 :])


def observation_of(key: bytes, prefix: bytes) -> str:
    """Return the Observation's id in the key of a reading, given the patient's prefix."""
    return _unescaped(key[len(prefix) :])


def decode(key: bytes, value: bytes) -> Any:
    """Return what a key and its value stand for: a PatientState, an Entry, and so on."""
    return _CODECS[key[: key.index(b"/") + 1]].decode(value)


_CODECS: dict[bytes, Versioned[Any]] = {
    _PATIENT: patient_states,
    _READING: entries,
    _EXPECTED: expectations,
    _COHORT: cohorts,
    _UNSETTLED: expectations,
    _ALERTED: expectations,
    TOTALS_KEY: totals,
}


def _escaped(identity: str) -> bytes:
    if "/" in identity or "%" in identity:
        identity = identity.replace("%", "%25").replace("/", "%2F")
    return identity.encode()


def _unescaped(identity: bytes) -> str:
    return identity.replace(b"%2F", b"/").replace(b"%25", b"%").decode()


patients = app.state_table("patients", decode=decode, help="Patients, their counts and their readings.")


def patients_of(partition: int) -> Iterator[tuple[str, PatientState]]:
    """Yield the id and the state of every patient of a partition."""
    for key, value in patients.store.scan(partition, _PATIENT):
        yield patient_of(key), patient_states.decode(value)


def patients_after(partition: int, after: str, search: str) -> Iterator[tuple[bytes, str, PatientState]]:
    """Yield key, id and state of a partition's patients behind one, in the order of keys, whose ids hold a text.

    Case makes no difference.
    """
    for key, value in patients.store.scan(partition, _PATIENT, after=patient_key(after) if after else None):
        patient_id = patient_of(key)
        if search.lower() in patient_id.lower():
            yield key, patient_id, patient_states.decode(value)


def expected_of(partition: int) -> Iterator[tuple[str, float]]:
    """Yield the id of every patient of a partition who is to measure regularly, and since when."""
    for key, value in patients.store.scan(partition, _EXPECTED):
        yield patient_of(key), expectations.decode(value)


def unsettled_of(partition: int) -> Iterator[str]:
    """Yield the id of every patient of a partition whose alerts are to be settled."""
    for key, _ in patients.store.scan(partition, _UNSETTLED):
        yield patient_of(key)


def alerted_of(partition: int) -> Iterator[tuple[str, PatientState]]:
    """Yield the id and the state of every patient of a partition who has alerts that are not resolved."""
    store = patients.store
    if store.get_many(partition, [TOTALS_KEY])[0] is None:
        yield from patients_of(partition)  # an older version wrote it, and no batch came since
        return
    for key, _ in store.scan(partition, _ALERTED):
        patient_id = patient_of(key)
        (value,) = store.get_many(partition, [patient_key(patient_id)])
        if value is not None:
            yield patient_id, patient_states.decode(value)


def totals_of(partition: int) -> Totals | None:
    """Return what a partition's patients make together, None where nothing of them was written yet."""
    (value,) = patients.store.get_many(partition, [TOTALS_KEY])
    return totals.decode(value) if value is not None else None


def cohort_of(partition: int, name: str) -> PatientSettings | None:
    """Return a cohort's settings, None where nothing is set."""
    (value,) = patients.store.get_many(partition, [cohort_key(name)])
    return cohorts.decode(value) if value is not None else None


def readings_of(partition: int, patient_id: str) -> Iterator[tuple[str, Entry]]:
    """Yield a patient's Observations."""
    prefix = reading_prefix(patient_id)
    for key, value in patients.store.scan(partition, prefix):
        yield observation_of(key, prefix), entries.decode(value)


refusals = app.state_table(
    "refusals",
    decode=lambda key, value: refusal_counts.decode(value),
    help="Refused records by reason, and which of them were sent again.",
)


def reason_key(reason: str) -> bytes:
    """Return the key of a reason's count."""
    return _REASON + reason.encode()


def refused_up_to_key(topic: str, partition: int) -> bytes:
    """Return the key of the offset up to which the refusals of a topic's partition are counted."""
    return f"refused-up-to/{topic}/{partition}".encode()


def replayed_key(origin: str) -> bytes:
    """Return the key of when, in milliseconds since 1970, the record of a topic/partition/offset was sent again."""
    return f"replayed/{origin}".encode()


def local_replays(origins: Sequence[str]) -> dict[str, int]:
    """Return when records were last sent again, of those of which it is known in this worker's partitions."""
    found: dict[str, int] = {}
    store = refusals.store
    keys = [replayed_key(origin) for origin in origins]
    for partition in store.active_partitions:
        values = zip(origins, store.get_many(partition, keys), strict=True)
        found.update((origin, refusal_counts.decode(value)) for origin, value in values if value is not None)
    return found


def local_refusals() -> dict[str, int]:
    """Return how many records were refused by reason, in the partitions that this worker answers for."""
    found: dict[str, int] = {}
    store = refusals.store
    for partition in store.active_partitions:
        for key, value in store.scan(partition, _REASON):
            reason = key[len(_REASON) :].decode()
            found[reason] = found.get(reason, 0) + refusal_counts.decode(value)
    return found
