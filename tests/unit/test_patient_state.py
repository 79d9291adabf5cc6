"""A patient's state follows from the set of readings, not from how they arrive."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bp_faust.clinical.judges import Judges
from bp_faust.clinical.policies import POLICIES
from bp_faust.clinical.state import step, version_order
from bp_faust.clinical.times import timestamp
from bp_faust.models import Anomaly, Entry, PatientState, Reading

SEED = Judges(POLICIES, "seed").rules(None, None)

STATUSES = [
    "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown",
]  # fmt: skip


class Patient:
    """Fold readings of one patient, as the monitor agent does."""

    def __init__(self) -> None:
        self.state = PatientState()
        self.entries: dict[str, Entry] = {}
        self.told: dict[str, Anomaly] = {}
        self.events = 0

    def take(self, readings: Iterable[Reading]) -> Patient:
        for reading in readings:
            identity = reading.observation_id or ""
            stepped = step(
                self.state, self.entries.get(identity), reading, SEED.of, lambda patient_id: self.entries.items()
            )
            if stepped is None:
                continue
            self.entries[identity], anomaly = stepped
            if anomaly is not None:
                self.events += 1
                self.told[identity] = anomaly
        return self

    @property
    def documents(self) -> dict[str, Anomaly]:
        return {identity: anomaly for identity, anomaly in self.told.items() if anomaly.anomaly_type is not None}


def reading(
    identity: str = "1", systolic: float | None = 150, diastolic: float | None = 80, **fields: object
) -> Reading:
    known: dict[str, object] = {"status": "final", "effective": 1000.0, **fields}
    return Reading("p", identity, systolic=systolic, diastolic=diastolic, **known)  # type: ignore[arg-type]


def test_a_reading_is_counted_by_its_type() -> None:
    patient = Patient().take([reading("1", 150, 80), reading("2", 80, 50), reading("3", 120, 80)])
    assert patient.state.readings == 3
    assert patient.state.anomalies == {"Hypertension": 1, "Hypotension": 1}


def test_the_same_reading_again_changes_nothing() -> None:
    patient = Patient().take([reading()])
    before = copy.deepcopy(patient.state)
    patient.take([reading()])
    assert patient.state == before
    assert patient.events == 1


def test_a_correction_replaces_and_takes_the_anomaly_back() -> None:
    patient = Patient().take([reading(), reading(systolic=120, status="corrected", received=1.0)])
    assert patient.state.readings == 1
    assert patient.state.anomalies == {}
    assert patient.told["1"].anomaly_type is None
    assert patient.state.latest is not None
    assert patient.state.latest.systolic == 120


def test_a_withdrawal_removes_even_where_it_comes_first() -> None:
    withdrawn = reading(systolic=None, diastolic=None, status="entered-in-error")
    for order in ([reading(), withdrawn], [withdrawn, reading()]):
        patient = Patient().take(order)
        assert patient.state == PatientState()
        assert patient.documents == {}


def test_when_the_latest_is_withdrawn_the_one_before_it_is_the_latest() -> None:
    patient = Patient().take([reading("1", effective=1.0), reading("2", effective=2.0)])
    patient.take([reading("2", None, None, status="cancelled", effective=2.0)])
    assert patient.state.latest is not None
    assert patient.state.latest.observation_id == "1"


def test_an_implausible_reading_is_countable_and_no_alarm() -> None:
    patient = Patient().take([reading(systolic=900, flags=("implausible",))])
    assert (patient.state.readings, patient.state.implausible, patient.state.anomalies) == (0, 1, {})


@pytest.mark.parametrize(
    "newer", [{"version": "10"}, {"version": "2", "last_updated": 1.0}, {"version": "3", "status": "registered"}]
)
def test_a_greater_version_number_is_newer_whatever_its_status(newer: dict[str, object]) -> None:
    older = reading(version="2", status="final")
    assert version_order(reading(**newer)) > version_order(older)


values = st.one_of(st.none(), st.integers(40, 250).map(float))
readings_of_one_patient = st.lists(
    st.builds(
        Reading,
        patient_id=st.just("p"),
        observation_id=st.sampled_from(["a", "b", "c"]),
        status=st.sampled_from(STATUSES),
        systolic=values,
        diastolic=values,
        effective=st.one_of(st.none(), st.integers(0, 5).map(float)),
        version=st.one_of(st.none(), st.sampled_from(["1", "2", "3", "x"])),
        last_updated=st.one_of(st.none(), st.integers(0, 3).map(float)),
        flags=st.sampled_from([(), ("implausible",)]),
        received=st.integers(0, 3).map(float),
    ),
    max_size=12,
)


@given(readings_of_one_patient, st.randoms(use_true_random=False))
def test_any_order_and_repetition_ends_in_the_same_state(found: list[Reading], random: object) -> None:
    for offset, one in enumerate(found):
        one.position = (0, offset)
    shuffled = [*found, *found[: len(found) // 2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = Patient().take(found), Patient().take(shuffled)
    assert first.state == second.state
    assert first.documents == second.documents


@given(readings_of_one_patient)
def test_the_state_is_what_counting_the_surviving_readings_gives(found: list[Reading]) -> None:
    for offset, one in enumerate(found):
        one.position = (0, offset)
    patient = Patient().take(found)
    newest = {}
    for one in found:
        known = newest.get(one.observation_id)
        if known is None or version_order(one) > version_order(known):
            newest[one.observation_id] = one
    counted = [one for one in newest.values() if one.status not in ("cancelled", "entered-in-error")]
    plausible = [one for one in counted if not one.flags]
    assert patient.state.readings == len(plausible)
    assert patient.state.implausible == len(counted) - len(plausible)
    assert sum(patient.state.anomalies.values()) == len(patient.documents)
    assert (patient.state.latest is None) == (not plausible)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_341_100_800.25, "2012-07-01T00:00:00.250Z"),
        (-62_135_596_800, "0001-01-01T00:00:00.000Z"),
        (-1e15, "0001-01-01T00:00:00.000Z"),
        (253_402_300_799.999, "9999-12-31T23:59:59.999Z"),
        (2**63 / 1000, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_iso_8601_in_utc(seconds: float, expected: str) -> None:
    assert timestamp(seconds) == expected
