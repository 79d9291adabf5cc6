"""What is remembered of a patient follows from the set of readings, whatever came when, and by which policy."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bp_faust.clinical.following import (
    acknowledge,
    check_missing,
    describe_alert,
    is_muted,
    settle_alerts,
    standing_alerts,
    take_readings,
)
from bp_faust.clinical.judges import Judges, age
from bp_faust.clinical.policies import POLICIES
from bp_faust.clinical.policy import read_policy
from bp_faust.encoding import Versioned
from bp_faust.models import (
    Acknowledgement,
    AlertEvent,
    Anomaly,
    Entry,
    PatientSettings,
    PatientState,
    Reading,
    Thresholds,
)

patient_states: Versioned[PatientState] = Versioned(PatientState)
entries: Versioned[Entry] = Versioned(Entry)

DAY = 86_400.0
RETENTION = 400 * DAY
JUDGES = Judges(POLICIES, "aha-2017")


class Patient:
    """Follow one patient, as the monitor agent does."""

    def __init__(self, settings: PatientSettings | None = None, cohort: PatientSettings | None = None) -> None:
        self.state = PatientState()
        self.entries: dict[str, Entry] = {}
        self.documents: dict[str, Anomaly] = {}
        self.events: list[AlertEvent] = []
        self.rules = JUDGES.rules(settings, cohort)

    def take(self, readings: Sequence[Reading]) -> list[AlertEvent]:
        known = {reading.observation_id: self.entries.get(reading.observation_id or "") for reading in readings}
        change = take_readings(
            "p",
            self.state,
            readings,
            {identity: entry for identity, entry in known.items() if identity and entry is not None},
            lambda: list(self.entries.items()),
            self.rules,
            JUDGES,
            RETENTION,
        )
        if change is None:
            return []
        for identity, entry in change.entries.items():
            if entry is None:
                del self.entries[identity]
            else:
                self.entries[identity] = entry
        for anomaly in change.anomalies:
            self.documents[anomaly.observation_id] = anomaly
        self.events += change.events
        return change.events

    def settle(self) -> None:
        self.events += settle_alerts("p", self.state, self.entries.items(), self.rules, JUDGES)

    def summary(self) -> tuple[object, ...]:
        state = self.state
        return (
            state.readings,
            state.anomalies,
            state.findings,
            state.implausible,
            state.latest,
            state.oldest,
            state.alerting.current,
            {identity: one for identity, one in self.documents.items() if one.anomaly_type is not None},
        )


def reading(identity: str, systolic: float, diastolic: float, days: float = 0, **fields: object) -> Reading:
    known: dict[str, object] = {"status": "final", "effective": days * DAY, **fields}
    return Reading("p", identity, systolic=systolic, diastolic=diastolic, **known)  # type: ignore[arg-type]


def test_findings_are_counted_by_rule_and_told_with_their_source() -> None:
    patient = Patient()
    patient.take([reading("1", 150, 55), reading("2", 125, 75)])
    assert patient.state.findings == {"aha-2017/stage-2": 1, "aha-2017/hypotension": 1, "aha-2017/elevated": 1}
    assert patient.state.anomalies == {"Hypertension stage 2": 1, "Elevated blood pressure": 1}
    assert b"10.1161/HYP.0000000000000065" in bytes(patient.documents["1"].findings)


def test_a_severe_reading_opens_an_alert_that_is_acknowledged_until_it_grows_worse() -> None:
    patient = Patient()
    [opened] = patient.take([reading("1", 185, 100)])
    assert (opened.status, opened.title, opened.severity) == ("open", "Hypertensive crisis", "severe")
    assert "doi" in opened.citation
    known = Acknowledgement("p", opened.alert_id, "nurse", "called", 0.1 * DAY)
    [event] = acknowledge("p", patient.state, known, patient.rules, JUDGES)
    assert (event.status, event.acknowledged_by, event.acknowledged_because) == ("acknowledged", "nurse", "called")
    assert acknowledge("p", patient.state, known, patient.rules, JUDGES) == []
    assert acknowledge("p", patient.state, replace(known, alert_id="x"), patient.rules, JUDGES) == []
    [alert] = standing_alerts(patient.state)
    assert describe_alert("p", patient.state, alert, patient.rules, JUDGES).status == "acknowledged"
    events = patient.take([reading("2", 120, 79, 1), reading("3", 120, 79, 2)])
    assert [event.status for event in events] == ["resolved"]
    assert patient.state.acknowledged == {}


def test_a_patient_who_should_measure_is_missed() -> None:
    patient = Patient(PatientSettings(measure_every_days=2))
    assert check_missing("p", patient.state, 1.9 * DAY, 0, patient.rules, JUDGES) == []
    [missed] = check_missing("p", patient.state, 2 * DAY, 0, patient.rules, JUDGES)
    assert (missed.status, missed.direction, missed.reason) == ("open", "missing", "no-readings")
    assert check_missing("p", patient.state, 3 * DAY, 0, patient.rules, JUDGES) == []
    [found] = patient.take([reading("1", 120, 79, 3)])
    assert (found.status, found.alert_id) == ("resolved", missed.alert_id)
    assert check_missing("p", patient.state, 4.9 * DAY, 0, patient.rules, JUDGES) == []
    assert len(check_missing("p", patient.state, 5 * DAY, 0, patient.rules, JUDGES)) == 1


def test_a_reading_that_is_taken_back_does_not_end_that_readings_are_missing() -> None:
    patient = Patient(PatientSettings(measure_every_days=2))
    patient.take([reading("1", 120, 79, 0), reading("2", 120, 79, 1)])
    [missed] = check_missing("p", patient.state, 3 * DAY, 0, patient.rules, JUDGES)
    assert patient.take([reading("2", 120, 79, 1, status="entered-in-error")]) == []
    assert patient.take([reading("1", 121, 79, 0, status="corrected")]) == []
    [found] = patient.take([reading("3", 120, 79, 2.5)])
    assert (found.status, found.alert_id) == ("resolved", missed.alert_id)


def test_muted_alerts_say_so() -> None:
    settings = PatientSettings(muted_until="1970-01-02T00:00:00Z")
    assert is_muted(settings, 0.9 * DAY)
    assert not is_muted(settings, DAY)
    [event] = Patient(settings).take([reading("1", 190, 100, 0.5)])
    assert event.muted


def test_a_patients_own_settings_go_before_the_cohorts() -> None:
    cohort = PatientSettings(policy="esc-2024", setting="home", measure_every_days=3)
    rules = JUDGES.rules(PatientSettings(policy="esh-2023"), cohort)
    assert (rules.judge.policy.id, rules.settings.setting, rules.settings.measure_every_days) == ("esh-2023", "home", 3)
    assert JUDGES.rules(PatientSettings(policy="unknown"), None).judge.policy.id == "aha-2017"
    at_home = Patient(cohort=cohort)
    at_home.take([reading("1", 136, 80)])
    assert at_home.state.findings == {"esc-2024/hypertension": 1, "esc-2024/elevated": 1}


def test_own_thresholds_take_the_place_of_all_that_is_not_severe() -> None:
    patient = Patient(PatientSettings(thresholds=Thresholds(systolic_above=150, diastolic_below=50)))
    patient.take([reading("1", 150, 95), reading("2", 151, 80), reading("3", 120, 49), reading("4", 190, 80)])
    assert patient.state.findings == {
        "aha-2017/above-own-threshold": 1,
        "aha-2017/below-own-threshold": 1,
        "aha-2017/severe": 1,
    }


def test_own_thresholds_hold_in_whatever_order_a_policy_has_its_categories() -> None:
    category = "{id: %s, title: %s, severity: none, when: [{systolic: '%s'}]}"
    low, middle = category % ("low", "Low", "<120"), category % ("middle", "Middle", ">=120")
    policy = read_policy(f"{{id: own, title: O, version: '1', citation: C, categories: [{low}, {middle}]}}", "own.yaml")
    judges = Judges({"own": policy}, "own")
    rules = judges.rules(PatientSettings(thresholds=Thresholds(systolic_above=130, systolic_below=100)), None)
    assert [rules.of(reading("1", value, 80)).category for value in (99, 100, 130, 131)] == [
        "below-own-threshold",
        "low",
        "middle",
        "above-own-threshold",
    ]


@pytest.mark.parametrize("limit", [1e-5, 5e-324, 0.1])
def test_an_own_threshold_may_be_any_number(limit: float) -> None:
    rules = JUDGES.rules(PatientSettings(thresholds=Thresholds(systolic_above=limit, diastolic_below=limit)), None)
    assert rules.of(reading("1", limit, limit)).high is None
    assert rules.of(reading("1", limit, limit)).low is None
    assert rules.of(reading("1", math.nextafter(limit, 400), math.nextafter(limit, 0))).findings != ()


@pytest.mark.parametrize(
    ("birth_date", "years"), [("2000-06-15", 12), ("2000-06-16", 11), ("2000-06", 11), ("2000", 11), ("1999", 12)]
)
def test_age_is_in_completed_years_and_the_fewest_that_are_possible(birth_date: str, years: int) -> None:
    assert age(birth_date, 1339718400.0) == years  # 2012-06-15


def test_a_time_far_outside_the_calendar_is_no_obstacle() -> None:
    """Kafka takes any number for a record's time, and a reading without a time of its own has the record's."""
    patient = Patient(PatientSettings(birth_date="1950-06-15"))
    patient.take([reading("1", 120, 79, effective=None, received=9e15)])
    assert patient.state.readings == 1
    assert (age("1950", 1e14), age("1950", -1e14)) == (8048, -1950)


def test_a_child_is_not_judged_by_the_adults_rule() -> None:
    patient = Patient()
    patient.take([reading("1", 150, 95, 365.25 * 30, birth_date="1990-01-01")])
    assert (patient.state.readings, patient.state.findings) == (1, {})


def test_what_is_older_than_the_retention_counts_no_more_whenever_it_comes() -> None:
    old, new = reading("old", 150, 80, 0), reading("new", 150, 80, 401)
    for order in ([old, new], [new, old], [new, old, old]):
        patient = Patient()
        for one in order:
            patient.take([one])
        assert (patient.state.readings, set(patient.entries)) == (1, {"new"})
        assert set(patient.documents) == {"old", "new"}


def test_what_is_forgotten_can_still_be_taken_back() -> None:
    patient = Patient()
    for one in (reading("new", 120, 79, 500), reading("old", 150, 80, 0)):
        patient.take([one])
    assert patient.documents["old"].anomaly_type == "Hypertension stage 2"
    patient.take([reading("old", 150, 80, 0, status="entered-in-error")])
    assert patient.documents["old"].anomaly_type is None
    assert patient.state.readings == 1


def test_a_patients_state_stays_small_however_many_readings_there_are() -> None:
    chance = random.Random(7)
    patient = Patient(PatientSettings(policy="aha-2025"))
    sizes = []
    for number in range(3000):
        identity = f"urn:uuid:00000000-0000-0000-0000-{number:012d}"
        patient.take([reading(identity, chance.randint(85, 195), chance.randint(55, 125), number / 4)])
        sizes.append(len(patient_states.encode(patient.state)))
    assert max(sizes) < 3000
    assert len(patient.entries) <= 4 * 400 + 1
    assert max(len(entries.encode(entry)) for entry in patient.entries.values()) < 200


statuses = ["preliminary", "final", "amended", "corrected"]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), number=st.integers(0, 60), batch=st.integers(1, 12))
@pytest.mark.parametrize("policy", ["seed", "aha-2025", "esh-2023"])
def test_any_order_duplication_and_correction_ends_in_the_same_state(
    policy: str, seed: int, number: int, batch: int
) -> None:
    chance = random.Random(seed)

    def version(identity: str, number: int, status: str) -> Reading:
        return reading(
            identity,
            chance.randrange(80, 200),
            chance.randrange(45, 130),
            chance.randrange(100) / 10,
            status=status,
            version=str(number),
        )

    surviving, others = [], []
    for index in range(number):
        versions = [
            version(f"r-{index}", place, chance.choice(statuses)) for place in range(chance.choice([1, 1, 1, 3]))
        ]
        if chance.random() < 0.2:
            others += [*versions, replace(versions[0], version="9", status="entered-in-error")]
        else:
            surviving.append(versions[-1])
            others += versions[:-1]
    stream = [*surviving, *others, *chance.sample(surviving, len(surviving) // 3)]
    chance.shuffle(stream)
    settings = PatientSettings(policy=policy)
    fresh, patient = Patient(settings), Patient(settings)
    for one in surviving:
        fresh.take([one])
    for start in range(0, len(stream), batch):
        patient.take(stream[start : start + batch])
    fresh.settle()
    patient.settle()
    assert patient.summary() == fresh.summary()
    assert (
        _standing(patient.events)
        == _standing(fresh.events)
        == {alert.alert_id: alert.status for alert in standing_alerts(patient.state)}
    )


def _standing(events: Iterable[AlertEvent]) -> dict[str, str]:
    last = {event.alert_id: event.status for event in events}
    return {alert_id: status for alert_id, status in last.items() if status != "resolved"}
