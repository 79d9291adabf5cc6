"""Simulated patients follow from a seed, look real, and cannot be taken for people."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bp_faust.clinical.policies import POLICIES
from bp_faust.clinical.policy import Judge
from bp_faust.fhir.resources import validate
from bp_faust.simulation import SURVEY_MEANS, Population, Pressure

MAY = datetime(2026, 5, 1, tzinfo=timezone.utc)

SEED = Judge(POLICIES["seed"])

seeds = st.integers(-(2**63), 2**63)
sizes = st.integers(1, 30)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2006, 1, 1), datetime(2100, 1, 1), timezones=zones)


def pressures(envelope: dict[str, Any]) -> tuple[int, int]:
    systolic, diastolic = (part["valueQuantity"]["value"] for part in envelope["observation"]["component"])
    return systolic, diastolic


def run(seed: int, patients: int, times: list[datetime]) -> list[dict[str, Any]]:
    population = Population(seed, patients)
    return [population.reading(at) for at in times]


def a_day(count: int, start: datetime = MAY) -> list[datetime]:
    return [start + timedelta(days=1) * number / count for number in range(count)]


@settings(deadline=None)
@given(seeds, sizes, st.lists(moments, min_size=1, max_size=5))
def test_the_same_seed_and_times_give_the_same_readings(seed: int, patients: int, times: list[datetime]) -> None:
    assert run(seed, patients, times) == run(seed, patients, times)


@settings(deadline=None)
@given(seeds, sizes, sizes)
def test_more_patients_leave_the_first_ones_as_they_are(seed: int, fewer: int, more: int) -> None:
    fewer, more = sorted([fewer, more])
    assert Population(seed, more).people[:fewer] == Population(seed, fewer).people


def test_another_seed_gives_other_patients() -> None:
    identities = [{person.identity for person in Population(seed, 50).people} for seed in (1, 2)]
    assert [len(found) for found in identities] == [50, 50]
    assert identities[0].isdisjoint(identities[1])


@settings(deadline=None, max_examples=50)
@given(seeds, sizes, moments)
def test_every_reading_is_fhir_labelled_as_test_data_and_about_its_patient(
    seed: int, patients: int, at: datetime
) -> None:
    envelope = Population(seed, patients).reading(at)
    patient, observation = envelope["patient"], envelope["observation"]
    for resource in (patient, observation):
        validate(resource)
        assert [label["code"] for label in resource["meta"]["security"]] == ["HTEST"]
    assert observation["subject"]["reference"] == f"Patient/{patient['id']}"
    assert datetime.fromisoformat(observation["effectiveDateTime"]) == at
    assert re.search(r"[+-]\d\d:\d\d$", observation["effectiveDateTime"])


@settings(deadline=None)
@given(seeds, sizes, st.lists(moments, min_size=1, max_size=30))
def test_pressures_are_plausible_whole_numbers(seed: int, patients: int, times: list[datetime]) -> None:
    for envelope in run(seed, patients, times):
        systolic, diastolic = pressures(envelope)
        assert isinstance(systolic, int)
        assert isinstance(diastolic, int)
        assert 40 <= diastolic < systolic <= 300


@settings(deadline=None)
@given(st.floats(-1000, 1000), st.floats(-1000, 1000), seeds)
def test_pressures_are_plausible_however_far_a_patient_lies_from_others(
    systolic: float, diastolic: float, seed: int
) -> None:
    population = Population(seed, 1)
    population.people[0] = replace(population.people[0], offset=Pressure(systolic, diastolic))
    measured = pressures(population.reading(MAY))
    assert 40 <= measured[1] < measured[0] <= 300


def test_observations_have_ids_of_their_own_after_a_restart_too() -> None:
    """A worker that starts again begins with the same seed: its readings are new ones, not the earlier ones again."""
    before, after = run(2026, 20, a_day(2000)), run(2026, 20, a_day(2000, MAY + timedelta(days=1)))
    at_once = run(2026, 20, [MAY] * 1000)
    identities = [envelope["observation"]["id"] for envelope in [*before, *after, *at_once[1:]]]
    assert len(set(identities)) == len(identities) == 4999
    assert [pressures(envelope) for envelope in before] != [pressures(envelope) for envelope in after]


def test_readings_come_from_all_patients_so_that_their_counts_grow() -> None:
    people = {person.identity for person in Population(2026, 20).people}
    for start in (MAY, MAY + timedelta(days=1)):
        counts = Counter(envelope["patient"]["id"] for envelope in run(2026, 20, a_day(1000, start)))
        assert counts.keys() == people
        assert min(counts.values()) > 20


@pytest.mark.parametrize("seed", [2026, *range(1, 7)])
@pytest.mark.parametrize("patients", [20, 200])
def test_some_readings_are_hypertension_and_fewer_are_hypotension(seed: int, patients: int) -> None:
    found = Counter(SEED.judge(*pressures(envelope)).anomaly_type for envelope in run(seed, patients, a_day(2000)))
    assert 400 < found["Hypertension"] < 800
    assert 100 < found["Hypotension"] < 400
    assert found["Hypotension"] < found["Hypertension"]


@pytest.mark.parametrize("seed", range(1, 7))
def test_twenty_patients_hold_healthy_hypotensive_and_crisis_patients(seed: int) -> None:
    readings: dict[str, list[tuple[int, int]]] = {}
    for envelope in run(seed, 20, a_day(4000)):
        readings.setdefault(envelope["patient"]["id"], []).append(pressures(envelope))
    shares = [Counter(SEED.judge(*reading).anomaly_type for reading in found) for found in readings.values()]
    assert sum(share[None] > 0.8 * share.total() for share in shares) >= 4
    assert any(share["Hypotension"] > 0.5 * share.total() for share in shares)
    critical = [sum(systolic > 180 or diastolic > 120 for systolic, diastolic in found) for found in readings.values()]
    assert any(count > 20 for count in critical)


def test_a_normal_patients_mean_is_the_surveys() -> None:
    population = Population(1, 2000)
    normal = [person for number, person in enumerate(population.people) if number % 20 == 0]
    expected = [person.expected(at) for person in normal for at in a_day(24)]
    survey = [SURVEY_MEANS[person.gender][min((2026 - person.birth_date.year) // 10, 7) - 2] for person in normal]
    for pressure, tolerance in ((0, 2.5), (1, 2)):
        means = [sum(pair[pressure] for pair in pairs) / len(pairs) for pairs in (expected, survey)]
        assert means[0] == pytest.approx(means[1], abs=tolerance)


def test_pressure_is_higher_in_the_afternoon_than_at_night() -> None:
    for person in Population(1, 20).people:
        afternoon, night = (person.expected(MAY.replace(hour=hour, minute=30)) for hour in (15, 3))
        assert afternoon.systolic - night.systolic == pytest.approx(8)
        assert afternoon.diastolic - night.diastolic == pytest.approx(4)


def test_the_hour_is_that_of_the_patients_zone() -> None:
    there = MAY.astimezone(timezone(timedelta(hours=12)))
    person = Population(1, 1).people[0]
    assert person.expected(there).systolic > person.expected(MAY).systolic


def test_patients_are_adults_of_both_sexes_with_names() -> None:
    people = Population(2026, 200).people
    assert {person.gender for person in people} == {"female", "male"}
    assert all(date(1946, 1, 1) <= person.birth_date <= date(2006, 12, 31) for person in people)
    assert all(person.family and person.given for person in people)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Population(1, 1).reading(datetime(2026, 5, 1))


@pytest.mark.parametrize("patients", [0, -1])
def test_a_population_of_nobody_is_refused(patients: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Population(1, patients)
