"""A simulation repeats itself, whoever else is in it, and gives a present and a history that look real."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bp_faust.clinical.judgement import Judge
from bp_faust.clinical.policies import POLICIES
from bp_faust.simulation.pace import Pace
from bp_faust.simulation.scenario import Crisis, Errors, Measuring, Scenario, TimeOfDay, Who
from tests.simulated import ERRORS, MAY, SHIPPED, a_day, mmhg, moments, scenarios, seeds, simulation, sizes

SEED = Judge(POLICIES["seed"])
FAULTY = Scenario("faulty", "Much goes wrong", errors=ERRORS)


def messages(scenario: Scenario, times: list[datetime], seed: int = 2026, patients: int = 20) -> list[dict[str, Any]]:
    simulated = simulation(scenario, seed, patients, times[0])
    return [simulated.message(at) for at in times]


def history(scenario: Scenario, days: int, seed: int = 2026, patients: int = 5, start: datetime = MAY) -> list[bytes]:
    simulated = simulation(scenario, seed, patients, start)
    end = start + timedelta(days=days)
    return [orjson.dumps([version.at, version.message]) for version in simulated.history(start, end)]


def of_patient(message: dict[str, Any]) -> str:
    return str(message["patient"]["id"])


@settings(deadline=None)
@given(scenarios, seeds, sizes, st.lists(moments, min_size=1, max_size=5))
def test_the_same_seed_and_times_give_the_same_bytes(
    scenario: Scenario, seed: int, patients: int, times: list[datetime]
) -> None:
    first, second = ([orjson.dumps(one) for one in messages(scenario, times, seed, patients)] for _ in range(2))
    assert first == second


@settings(deadline=None, max_examples=25)
@given(scenarios, seeds, sizes, moments)
def test_the_same_start_gives_the_same_history_to_the_byte(
    scenario: Scenario, seed: int, patients: int, start: datetime
) -> None:
    assert history(scenario, 2, seed, patients, start) == history(scenario, 2, seed, patients, start)


@settings(deadline=None, max_examples=25)
@given(scenarios, seeds, sizes, sizes)
def test_a_persons_history_does_not_depend_on_how_many_others_there_are(
    scenario: Scenario, seed: int, fewer: int, more: int
) -> None:
    fewer, more = sorted([fewer, more])
    alone, together = history(scenario, 3, seed, fewer), history(scenario, 3, seed, more)
    identities = {person.identity for person in simulation(scenario, seed, fewer).people}
    assert alone == [one for one in together if of_patient(orjson.loads(one)[1]) in identities]


@settings(deadline=None)
@given(seeds, moments)
def test_a_persons_reading_does_not_depend_on_how_many_others_there_are(seed: int, at: datetime) -> None:
    found = {of_patient(message): message for message in messages(FAULTY, [at], seed, 1)}
    for patients in range(2, 6):
        (message,) = messages(FAULTY, [at], seed, patients)
        assert found.setdefault(of_patient(message), message) == message


def test_another_scenario_is_about_other_people() -> None:
    found = [{person.identity for person in simulation(scenario).people} for scenario in SHIPPED.values()]
    assert len(set.union(*found)) == len(SHIPPED) * 20


def test_observations_have_ids_of_their_own_after_a_restart_too() -> None:
    """A worker that starts again begins with the same seed: its readings are new ones, not the earlier ones again."""
    scenario = Scenario("plain", "Plain")
    before, after = (messages(scenario, a_day(2000, start)) for start in (MAY, MAY + timedelta(days=1)))
    assert len({message["observation"]["id"] for message in [*before, *after]}) == 4000


def test_readings_come_from_all_patients_so_that_their_counts_grow() -> None:
    scenario = Scenario("plain", "Plain")
    people = {person.identity for person in simulation(scenario).people}
    counts = Counter(map(of_patient, messages(scenario, a_day(1000))))
    assert counts.keys() == people
    assert min(counts.values()) > 20


def test_what_goes_wrong_is_put_right_while_time_goes_on() -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    for message in messages(FAULTY, [MAY + timedelta(seconds=30 * number) for number in range(2000)]):
        found.setdefault(message["observation"]["id"], []).append(message["observation"])
    put_right = [both for both in found.values() if len(both) == 2]
    assert len(put_right) > 200
    for first, second in put_right:
        assert (first["meta"]["versionId"], second["meta"]["versionId"]) == ("1", "2")
    assert max(map(len, found.values())) == 2


def test_nobody_is_measured_on_a_missed_day_as_long_as_there_are_others() -> None:
    scenario = Scenario("missing", "Missing", measure=Measuring(missed_days=0.5))
    measured = {of_patient(message) for message in messages(scenario, a_day(500), patients=20)}
    assert 4 < len(measured) < 16
    assert len(messages(scenario, a_day(50), patients=1)) == 50


@pytest.mark.parametrize("seed", [2026, *range(1, 7)])
def test_the_default_scenario_shows_hypertension_and_less_hypotension(seed: int) -> None:
    found = Counter(
        SEED.judge(*mmhg(message)).anomaly_type
        for message in messages(SHIPPED["clinic"], a_day(1500), seed, 200)
        if mmhg(message) != (None, None)
    )
    assert 350 < found["Hypertension"] < 700
    assert 75 < found["Hypotension"] < found["Hypertension"]


def test_the_default_scenario_shows_an_anomaly_within_seconds() -> None:
    for hour in range(24):
        times = [MAY + timedelta(hours=hour, seconds=second) for second in range(15)]
        found = [SEED.judge(*mmhg(message)).findings for message in messages(SHIPPED["clinic"], times)]
        assert any(found)


def test_the_ward_has_its_crisis_at_15() -> None:
    ward = SHIPPED["ward-crisis"]

    def severe(hour: int, minute: int) -> float:
        times = [MAY + timedelta(hours=hour, minutes=minute, seconds=second) for second in range(600)]
        pressures = [mmhg(message) for message in messages(ward, times, patients=40)]
        return sum((systolic or 0) > 180 or (diastolic or 0) > 120 for systolic, diastolic in pressures) / len(
            pressures
        )

    assert severe(14, 45) < 0.02
    assert severe(15, 30) > 0.1
    assert severe(17, 5) < 0.02


def test_treatment_lowers_pressure_in_the_weeks_after_its_first_day() -> None:
    means = {}
    for week in (0, 3, 7):
        start = MAY + timedelta(weeks=week)
        simulated = simulation(SHIPPED["treatment"], patients=60)
        untreated = {person.identity for person in simulated.people if person.condition == "untreated"}
        found = [version.message for version in simulated.history(start, start + timedelta(days=7))]
        values = [mmhg(message)[0] for message in found if of_patient(message) in untreated]
        right = [value for value in values if value is not None and value > 60]
        means[week] = sum(right) / len(right)
    assert means[0] - means[3] > 5
    assert means[3] - means[7] > 2


@settings(deadline=None, max_examples=50)
@given(scenarios, seeds, moments, st.integers(1, 5))
def test_a_history_is_in_order_and_within_its_days(scenario: Scenario, seed: int, start: datetime, days: int) -> None:
    simulated = simulation(scenario, seed, 4, start)
    end = start + timedelta(days=days)
    times = [version.at.timestamp() for version in simulated.history(start, end)]
    assert all(one <= other for one, other in pairwise(times))
    assert all(start.timestamp() <= time < end.timestamp() for time in times)


@settings(deadline=None, max_examples=50)
@given(seeds, moments)
def test_in_a_history_what_puts_right_follows_what_it_puts_right(seed: int, start: datetime) -> None:
    scenario = Scenario("faulty", "Faulty", errors=ERRORS, measure=Measuring(at=(TimeOfDay(0), TimeOfDay(1439))))
    seen: set[str] = set()
    for version in simulation(scenario, seed, 3, start).history(start, start + timedelta(days=3)):
        observation = version.message["observation"]
        assert (observation["meta"]["versionId"] == "2") == (observation["id"] in seen)
        seen.add(observation["id"])


def test_nobody_is_measured_twice_at_a_time_because_of_two_days() -> None:
    measure = Measuring(at=(TimeOfDay(0), TimeOfDay(1439)), within_minutes=1)
    simulated = simulation(Scenario("midnight", "Midnight", measure=measure), patients=20)
    times = [(of_patient(one.message), one.at) for one in simulated.history(MAY, MAY + timedelta(days=20))]
    assert len(set(times)) == len(times) < 20 * 20 * 2


def test_a_history_that_is_asked_for_in_pieces_is_the_same() -> None:
    scenario = Scenario("plain", "Plain", measure=Measuring(within_minutes=360))
    simulated = simulation(scenario, patients=3)
    middle, end = MAY + timedelta(days=2, hours=3), MAY + timedelta(days=4)
    whole = list(simulated.history(MAY, end))
    assert [*simulated.history(MAY, middle), *simulated.history(middle, end)] == whole


def test_people_are_measured_at_their_times_but_not_on_missed_days() -> None:
    measure = Measuring(at=(TimeOfDay(480), TimeOfDay(1200)), within_minutes=30, missed_days=0.2)
    paris = ZoneInfo("Europe/Paris")
    start = datetime(2026, 3, 1, tzinfo=paris)  # the clocks change on the 29th
    simulated = simulation(Scenario("home", "Home", measure=measure), patients=20, start=start)
    times = [version.at for version in simulated.history(start, start + timedelta(days=50))]
    assert all(abs(at.hour * 60 + at.minute - 480) <= 30 or abs(at.hour * 60 + at.minute - 1200) <= 30 for at in times)
    assert 0.75 < len(times) / (20 * 50 * 2) < 0.85


def test_people_come_every_so_many_days_on_days_of_their_own() -> None:
    scenario = Scenario("weekly", "Weekly", measure=Measuring(at=(TimeOfDay(600),), every_days=7))
    found: dict[str, list[datetime]] = {}
    for version in simulation(scenario, patients=30).history(MAY, MAY + timedelta(days=28)):
        found.setdefault(of_patient(version.message), []).append(version.at)
    assert {len(times) for times in found.values()} == {4}
    assert {(later.date() - sooner.date()).days for times in found.values() for sooner, later in pairwise(times)} == {7}
    assert len({times[0].date() for times in found.values()}) == 7


def test_in_a_crisis_those_concerned_are_measured_more_often() -> None:
    crisis = Crisis(TimeOfDay(900), 60, 70, 40, who=Who(patients=(1,)), measure_every_minutes=10)
    scenario = Scenario("crisis", "Crisis", measure=Measuring(at=(TimeOfDay(600),)), crises=(crisis,))
    simulated = simulation(scenario, patients=2)
    counts = Counter(of_patient(version.message) for version in simulated.history(MAY, MAY + timedelta(days=1)))
    assert counts == {simulated.people[0].identity: 7, simulated.people[1].identity: 1}


def test_the_scenarios_first_day_goes_before_the_day_on_which_it_is_started() -> None:
    begun = Scenario("begun", "Begun", first_day=MAY.date())
    assert simulation(begun, start=MAY + timedelta(days=9)).first_day == MAY.date()


def test_an_hour_that_the_clocks_leave_out_has_no_reading() -> None:
    scenario = Scenario("night", "Night", measure=Measuring(at=(TimeOfDay(150),), within_minutes=0))
    paris = ZoneInfo("Europe/Paris")
    start = datetime(2026, 3, 29, tzinfo=paris)
    (version,) = simulation(scenario, patients=1, start=start).history(start, start + timedelta(days=1))
    assert version.message["observation"]["effectiveDateTime"] == "2026-03-29T03:30:00+02:00"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        simulation(FAULTY).message(datetime(2026, 5, 1))
    with pytest.raises(ValueError, match="time zone"):
        simulation(FAULTY).history(datetime(2026, 5, 1), MAY)


@settings(deadline=None)
@given(st.floats(0.001, 3), st.lists(st.floats(0.001, 0.9), min_size=1, max_size=30))
def test_pace_keeps_its_interval_however_late_somebody_looks(interval: float, waits: list[float]) -> None:
    pace, now, found = Pace(interval), 1e9, []
    first = pace.due(now)
    assert first == [now]
    for wait in waits:
        now += wait
        due = pace.due(now)
        assert all(now - wait - interval <= time <= now for time in due)
        found += due
    assert all(later - sooner == pytest.approx(interval, abs=1e-5) for sooner, later in pairwise([*first, *found]))
    assert len(found) == pytest.approx((now - 1e9) / interval, abs=1.01)


def test_pace_makes_up_for_a_second_only() -> None:
    pace = Pace(0.5)
    pace.due(1e9)
    assert pace.due(1e9 + 3600) == [1e9 + 3599, 1e9 + 3599.5, 1e9 + 3600]


def test_pace_begins_anew_where_the_clock_is_set_back() -> None:
    pace = Pace(0.5)
    pace.due(1e9)
    assert pace.due(1e9 - 3600) == [1e9 - 3600]
    assert pace.due(1e9 - 3599.5) == [1e9 - 3599.5]


def test_no_errors_are_simulated_where_the_scenario_has_none() -> None:
    assert Errors() == Scenario("plain", "Plain").errors
    found = takewhile(lambda message: None not in mmhg(message), messages(Scenario("plain", "Plain"), a_day(500)))
    assert len(list(found)) == 500
