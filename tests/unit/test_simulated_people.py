"""Simulated people are drawn from a seed, and their blood pressure is what studies find."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bp_faust.simulation.measuring import measured
from bp_faust.simulation.people import OFFSETS, SURVEY_MEANS, WAVE_LIMIT, Person, people
from bp_faust.simulation.pressures import Pressure
from bp_faust.simulation.rhythm import by_hour, drift, expected, treated
from bp_faust.simulation.scenario import Crisis, Errors, Scenario, TimeOfDay, Treatment, Who
from tests.simulated import MAY, a_day, mmhg, moments, seeds, sizes

OFFICE = Scenario("office", "Office")
HOME = Scenario("home", "Home", setting="home")
WARD = Scenario("ward", "Ward", setting="ward")


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    """Give so many people that chance evens out."""
    return people(1, 6000, None)


def pressure(person: Person, at: datetime, scenario: Scenario = OFFICE) -> Pressure:
    return expected(person, at, scenario, 1, MAY.date())


def hourly(person: Person, scenario: Scenario, hours: list[int]) -> float:
    return fmean(pressure(person, MAY.replace(hour=hour), scenario).systolic for hour in hours)


@settings(deadline=None)
@given(seeds, sizes, sizes)
def test_more_patients_leave_the_first_ones_as_they_are(seed: int, fewer: int, more: int) -> None:
    fewer, more = sorted([fewer, more])
    assert people(seed, more, None)[:fewer] == people(seed, fewer, None)


def test_another_seed_gives_other_patients() -> None:
    identities = [{person.identity for person in people(seed, 50, None)} for seed in (1, 2)]
    assert [len(found) for found in identities] == [50, 50]
    assert identities[0].isdisjoint(identities[1])


def test_patients_are_adults_of_both_sexes_with_names() -> None:
    found = people(2026, 200, None)
    assert {person.gender for person in found} == {"female", "male"}
    assert all(date(1946, 1, 1) <= person.birth_date <= date(2006, 12, 31) for person in found)
    assert all(person.family and person.given for person in found)


@pytest.mark.parametrize("patients", [0, -1])
def test_nobody_is_refused(patients: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        people(1, patients, None)


def test_hypertension_is_as_frequent_as_in_the_survey_and_mostly_treated(crowd: list[Person]) -> None:
    for youngest, below, share in ((20, 40, 0.075), (40, 60, 0.332), (60, 90, 0.631)):
        group = [person for person in crowd if youngest <= 2026 - person.birth_date.year < below]
        hypertensive = [person for person in group if person.condition != "normal"]
        assert len(hypertensive) / len(group) == pytest.approx(share, abs=0.04)
    hypertensive = [person for person in crowd if person.condition != "normal"]
    treated_ones = sum(person.condition == "treated" for person in hypertensive)
    assert treated_ones / len(hypertensive) == pytest.approx(0.764, abs=0.04)


def test_the_mean_of_each_sex_and_decade_is_the_surveys(crowd: list[Person]) -> None:
    for gender, means in SURVEY_MEANS.items():
        for place, mean in enumerate(means):
            group = [
                person.baseline(2026)
                for person in crowd
                if person.gender == gender and min((2026 - person.birth_date.year) // 10, 7) - 2 == place
            ]
            assert fmean(one.systolic for one in group) == pytest.approx(mean.systolic, abs=2)
            assert fmean(one.diastolic for one in group) == pytest.approx(mean.diastolic, abs=1.5)


def test_single_readings_of_many_people_differ_as_much_as_the_surveys(crowd: list[Person]) -> None:
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for person in crowd:
        at = MAY + timedelta(days=person.number % 365, hours=8 + person.number % 12)
        (version,) = measured(person, at, pressure(person, at), Errors(), 1)
        systolic, diastolic = mmhg(version.message)
        assert systolic is not None
        assert diastolic is not None
        decade = min((2026 - person.birth_date.year) // 10, 7)
        found.setdefault((person.gender, decade), []).append((systolic, diastolic))
    # Of the rows of SURVEY_MEANS.
    survey = {
        "female": [(10.2, 9.7), (12.3, 10.4), (14.5, 9.9), (16.1, 10.3), (17.1, 11.0), (21.4, 11.7)],
        "male": [(11.3, 10.6), (12.3, 11.2), (14.0, 10.9), (17.8, 10.4), (17.6, 11.2), (20.9, 12.3)],
    }
    for (gender, decade), readings in found.items():
        deviations = tuple(map(stdev, zip(*readings, strict=True)))
        assert deviations == pytest.approx(survey[gender][decade - 2], abs=2)


def test_hypertension_lies_above_normal_pressure_as_in_the_survey(crowd: list[Person]) -> None:
    means = {
        condition: fmean(person.baseline(2026).systolic for person in crowd if person.condition == condition)
        for condition in ("normal", "treated", "untreated")
    }
    # 116, 130 and 146 mmHg there; people here are of all ages alike, and so a little older.
    assert means == pytest.approx({"normal": 116, "treated": 130, "untreated": 146}, abs=3)


def test_pressure_is_higher_in_the_afternoon_than_at_night() -> None:
    for person in people(1, 20, None):
        afternoon, night = (pressure(person, MAY.replace(hour=hour, minute=30)) for hour in (15, 3))
        assert afternoon.systolic - night.systolic == pytest.approx(8)
        assert afternoon.diastolic - night.diastolic == pytest.approx(4)


def test_the_mean_by_day_is_the_usual_pressure() -> None:
    usual = Pressure(120, 80)
    (person,) = people(1, 1, None)
    by_day = [at for at in a_day(96) if 7.5 <= at.hour + at.minute / 60 < 23.5]
    now = [by_hour(person, usual, at, asleep_at_night=False) for at in by_day]
    assert fmean(one.systolic for one in now) == pytest.approx(120, abs=0.1)
    assert fmean(one.diastolic for one in now) == pytest.approx(80, abs=0.1)


def test_asleep_in_a_ward_pressure_falls_by_10_to_20_percent_in_most(crowd: list[Person]) -> None:
    falls = []
    for person in crowd[:1000]:
        day, night = hourly(person, WARD, list(range(8, 22))), hourly(person, WARD, [0, 1, 2, 3, 4, 5])
        assert night < day
        falls.append(1 - night / day)
    assert fmean(falls) == pytest.approx(0.13, abs=0.01)
    assert stdev(falls) == pytest.approx(0.05, abs=0.01)


def test_falling_asleep_and_waking_up_takes_time() -> None:
    (person,) = people(1, 1, None)
    steps = [pressure(person, at, WARD).systolic for at in a_day(24 * 60)]
    assert max(abs(one - other) for one, other in zip(steps, [*steps[1:], steps[0]], strict=True)) < 1.5


def test_the_hour_is_that_of_the_patients_zone() -> None:
    there = MAY.astimezone(timezone(timedelta(hours=12)))
    (person,) = people(1, 1, None)
    assert pressure(person, there).systolic > pressure(person, MAY).systolic


def test_in_the_office_pressure_is_higher_than_at_home_most_of_all_with_hypertension(crowd: list[Person]) -> None:
    effects: dict[str, list[float]] = {}
    for person in crowd[:3000]:
        effect = pressure(person, MAY).systolic - pressure(person, MAY, HOME).systolic
        assert effect >= 0
        effects.setdefault(person.condition, []).append(effect)
    assert fmean(effects["treated"]) == pytest.approx(11, abs=1)
    assert fmean(effects["untreated"]) == pytest.approx(11, abs=1.5)
    assert fmean(effects["normal"]) < 3


@settings(deadline=None)
@given(seeds, moments)
def test_drift_is_bounded_and_slow(seed: int, at: datetime) -> None:
    (person,) = people(seed, 1, None)
    today, tomorrow = drift(person, at.date()), drift(person, at.date() + timedelta(days=1))
    assert abs(today.systolic) <= WAVE_LIMIT + 2.5
    assert abs(today.diastolic) <= WAVE_LIMIT / 2 + 1.5
    assert abs(today.systolic - tomorrow.systolic) < 1


def test_winter_lies_5_over_3_above_summer() -> None:
    (person,) = people(1, 1, None)
    person = replace(person, wave=0.0)
    winter, summer = drift(person, date(2026, 1, 15)), drift(person, date(2026, 7, 17))
    assert winter.systolic - summer.systolic == pytest.approx(5, abs=0.01)
    assert winter.diastolic - summer.diastolic == pytest.approx(3, abs=0.01)


def test_a_drug_lowers_154_97_by_9_over_6_half_of_it_within_a_week() -> None:
    before, one = Pressure(154, 97), Treatment(from_day=8)
    assert treated(before, one, 7.0) == before
    assert 154 - treated(before, one, 7 + 6.4).systolic == pytest.approx(9.1 / 2, abs=0.1)
    after = treated(before, one, 70)
    assert (154 - after.systolic, 97 - after.diastolic) == pytest.approx((9.1, 5.5), abs=0.1)
    assert treated(before, Treatment(from_day=8, drugs=3), 70).systolic < after.systolic - 14
    assert 164 - treated(Pressure(164, 107), one, 70).systolic == pytest.approx(10.1, abs=0.1)


@settings(deadline=None)
@given(st.floats(60, 250), st.floats(40, 140), st.integers(1, 4), st.floats(0, 1000), st.floats(0, 1000))
def test_treatment_never_raises_pressure_and_lowers_it_the_more_the_longer(
    systolic: float, diastolic: float, drugs: int, sooner: float, later: float
) -> None:
    sooner, later = sorted([sooner, later])
    before, treatment = Pressure(systolic, diastolic), Treatment(from_day=1, drugs=drugs)
    first, second = treated(before, treatment, sooner), treated(before, treatment, later)
    assert before.systolic >= first.systolic >= second.systolic > 0
    assert before.diastolic >= first.diastolic >= second.diastolic > 0


def test_only_those_who_are_treated_are() -> None:
    treatment = Treatment(from_day=1, drugs=2, who=Who(condition="untreated"))
    scenario = Scenario("drugs", "Drugs", treatments=(treatment,))
    at = MAY + timedelta(days=60)
    for person in people(1, 200, None):
        lower = pressure(person, at, scenario).systolic < pressure(person, at).systolic
        assert lower == (person.condition == "untreated")


@pytest.mark.parametrize(
    ("hour", "minute", "rise"), [(14, 59, 0), (15, 0, 0), (15, 10, 40), (15, 15, 60), (16, 0, 60), (16, 55, 20)]
)
def test_a_crisis_comes_at_its_time_and_goes(hour: int, minute: int, rise: float) -> None:
    crisis = Crisis(TimeOfDay(15 * 60), 120, 60, 40)
    scenario = Scenario("crisis", "Crisis", crises=(crisis,))
    (person,) = people(1, 1, None)
    at = MAY.replace(hour=hour, minute=minute)
    found = pressure(person, at, scenario)
    assert found.systolic - pressure(person, at).systolic == pytest.approx(rise)
    assert found.diastolic - pressure(person, at).diastolic == pytest.approx(rise * 40 / 60)


def test_a_crisis_before_midnight_goes_on_after_it_on_its_days_only() -> None:
    crisis = Crisis(TimeOfDay(23 * 60), 120, 60, 40, days=(2,))
    scenario = Scenario("crisis", "Crisis", crises=(crisis,))
    (person,) = people(1, 1, None)
    raised = [
        at
        for at in (MAY + timedelta(hours=hour, minutes=30) for hour in range(96))
        if pressure(person, at, scenario).systolic > pressure(person, at).systolic + 1
    ]
    assert raised == [MAY + timedelta(hours=hour, minutes=30) for hour in (47, 48)]


def test_a_crisis_comes_to_the_named_or_to_a_share_of_people_others_each_day() -> None:
    def concerned(who: Who, day: int) -> set[int]:
        scenario = Scenario("crisis", "Crisis", crises=(Crisis(TimeOfDay(15 * 60), 60, 60, 40, who=who),))
        at = MAY + timedelta(days=day, hours=15, minutes=30)
        return {
            person.number
            for person in people(1, 500, None)
            if pressure(person, at, scenario).systolic > pressure(person, at).systolic
        }

    assert concerned(Who(patients=(1, 3)), 0) == {0, 2}
    first, second = (concerned(Who(share=0.2), day) for day in (0, 1))
    assert 70 < len(first) < 130
    assert first != second


def test_every_condition_has_an_offset_and_the_gravest_the_greatest() -> None:
    assert OFFSETS["hypotensive"] < OFFSETS["normal"] < OFFSETS["treated"] < OFFSETS["untreated"] < OFFSETS["severe"]
