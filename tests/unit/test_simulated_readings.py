"""What is measured is FHIR of the blood-pressure profile, and what goes wrong goes wrong as meant and is put right."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bp_faust.fhir import parse
from bp_faust.fhir.flags import IMPLAUSIBLE
from bp_faust.fhir.options import ParseOptions
from bp_faust.fhir.resources import validate
from bp_faust.models import Reading, Rejection
from bp_faust.simulation.measuring import PROFILE, measured, mistyped
from bp_faust.simulation.people import people
from bp_faust.simulation.pressures import Pressure
from bp_faust.simulation.scenario import Errors
from tests.simulated import ERRORS, MAY, mmhg, moments, seeds

(PERSON,) = people(1, 1, None)
USUAL = Pressure(128, 79)
EXAMPLE = Path(__file__).parents[1] / "data/hl7/Observation-blood-pressure.json"


def versions(seed: int, errors: Errors = ERRORS, at: datetime = MAY, usual: Pressure = USUAL) -> list[dict[str, Any]]:
    return [version.message for version in measured(PERSON, at, usual, errors, seed)]


def always(error: str) -> Errors:
    return Errors(**{error: 1.0})


def read(message: dict[str, Any]) -> Reading | Rejection:
    (outcome,) = parse(orjson.dumps(message), ParseOptions(validation="all"))
    return outcome


def keeps_the_profile(observation: dict[str, Any]) -> bool:
    """Check the slices and invariants of http://hl7.org/fhir/R4/bp.html and of vital signs, which it builds on."""

    def has(concept: dict[str, Any], system: str, code: str) -> bool:
        return sum((one["system"], one["code"]) == (system, code) for one in concept["coding"]) == 1

    def is_measured_or_absent(part: dict[str, Any]) -> bool:
        quantity = part.get("valueQuantity")
        if quantity is None:
            return bool(part["dataAbsentReason"]["coding"])
        unit = (quantity["system"], quantity["code"]) == ("http://unitsofmeasure.org", "mm[Hg]")
        return unit and "value" in quantity and bool(quantity["unit"])

    category = "http://terminology.hl7.org/CodeSystem/observation-category"
    slices = [
        [part for part in observation["component"] if has(part["code"], "http://loinc.org", code)]
        for code in ("8480-6", "8462-4")
    ]
    return (
        bool(observation["status"])
        and sum(has(one, category, "vital-signs") for one in observation["category"]) == 1
        and has(observation["code"], "http://loinc.org", "85354-9")
        and observation["subject"]["reference"].startswith("Patient/")
        and len(observation["effectiveDateTime"]) >= len("2026-05-01")
        and "valueQuantity" not in observation
        and [len(found) for found in slices] == [1, 1]
        and all(is_measured_or_absent(part) for found in slices for part in found)
    )


@settings(deadline=None)
@given(seeds, moments)
def test_every_message_is_fhir_labelled_as_test_data_and_about_its_patient(seed: int, at: datetime) -> None:
    for message in versions(seed, at=at):
        for resource in message.values():
            validate(resource)
            assert [label["code"] for label in resource["meta"]["security"]] == ["HTEST"]
        observation = message["observation"]
        assert observation["subject"]["reference"] == f"Patient/{message['patient']['id']}"
        assert datetime.fromisoformat(observation["effectiveDateTime"]).timestamp() == at.timestamp()


@settings(deadline=None)
@given(seeds)
def test_all_but_kilopascals_keep_the_profile_and_say_so(seed: int) -> None:
    for message in versions(seed):
        observation = message["observation"]
        units = {part.get("valueQuantity", {}).get("code") for part in observation["component"]}
        assert (
            keeps_the_profile(observation)
            == (PROFILE in observation["meta"].get("profile", ()))
            == ("kPa" not in units)
        )


def test_codes_bear_the_names_that_hl7s_own_example_gives_them() -> None:
    """A FHIR validator looks names up: "Blood pressure panel" alone is the name of another code."""

    def names(observation: dict[str, Any]) -> list[str]:
        concepts = [observation["code"], *(part["code"] for part in observation["component"])]
        return [
            one["display"] for concept in concepts for one in concept["coding"] if one["system"].endswith("loinc.org")
        ]

    (message,) = versions(1, Errors())
    assert names(message["observation"]) == names(orjson.loads(EXAMPLE.read_bytes()))


@settings(deadline=None)
@given(seeds, moments, st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_without_errors_pressures_are_plausible_whole_numbers(
    seed: int, at: datetime, systolic: float, diastolic: float
) -> None:
    (message,) = versions(seed, Errors(), at, Pressure(systolic, diastolic))
    reading = read(message)
    assert isinstance(reading, Reading)
    assert reading.flags == ()
    assert reading.systolic is not None
    assert reading.diastolic is not None
    assert 40 <= reading.diastolic < reading.systolic <= 300
    assert mmhg(message) == (reading.systolic, reading.diastolic)
    assert all(isinstance(value, int) for value in mmhg(message))
    assert reading.effective == pytest.approx(at.timestamp(), abs=1e-6)


@settings(deadline=None)
@given(seeds)
def test_every_message_is_read_or_refused_as_it_is_meant_to_be(seed: int) -> None:
    first, *later = versions(seed)
    outcome = read(first)
    if mmhg(first) == (None, None):
        assert isinstance(outcome, Rejection)
        assert outcome.reason == "no-value"
    else:
        assert isinstance(outcome, Reading)
        assert (outcome.status, outcome.version) == ("final", "1")
    for message in later:
        assert isinstance(read(message), Reading)


@settings(deadline=None)
@given(seeds, moments)
def test_what_puts_right_follows_what_it_puts_right(seed: int, at: datetime) -> None:
    first, *later = measured(PERSON, at, USUAL, ERRORS, seed)
    assert first.at == at
    assert len(later) <= 1
    for version in later:
        assert 300 <= version.at.timestamp() - at.timestamp() <= 5400
        before, after = first.message["observation"], version.message["observation"]
        assert [before[name] for name in ("id", "subject", "effectiveDateTime")] == [
            after[name] for name in ("id", "subject", "effectiveDateTime")
        ]
        assert (before["meta"]["versionId"], after["meta"]["versionId"]) == ("1", "2")
        assert datetime.fromisoformat(after["meta"]["lastUpdated"]).timestamp() == version.at.timestamp()
        assert after["status"] in {"amended", "corrected", "entered-in-error"}


@settings(deadline=None)
@given(seeds)
def test_a_missing_value_says_why_and_may_be_completed(seed: int) -> None:
    first, *later = versions(seed, always("one_missing"))
    reading = read(first)
    assert isinstance(reading, Reading)
    assert reading.systolic is not None
    assert reading.diastolic is None
    for message in later:
        completed = read(message)
        assert isinstance(completed, Reading)
        assert (completed.status, completed.systolic) == ("amended", reading.systolic)
        assert completed.diastolic is not None


def test_half_of_the_missing_values_are_completed() -> None:
    completed = sum(len(versions(seed, always("one_missing"))) == 2 for seed in range(500))
    assert 200 < completed < 300


@settings(deadline=None)
@given(seeds)
def test_kilopascals_are_read_as_the_same_pressure(seed: int) -> None:
    (right,), (message,) = versions(seed, Errors()), versions(seed, always("kilopascals"))
    reading = read(message)
    assert isinstance(reading, Reading)
    assert (reading.systolic, reading.diastolic) == pytest.approx(mmhg(right), abs=0.4)
    assert reading.flags == ()


@settings(deadline=None)
@given(seeds)
def test_a_wrong_value_is_corrected_to_the_right_one(seed: int) -> None:
    (right,), (wrong, corrected) = versions(seed, Errors()), versions(seed, always("mistyped"))
    assert mmhg(wrong) != mmhg(corrected) == mmhg(right)
    assert corrected["observation"]["status"] == "corrected"


@settings(deadline=None)
@given(seeds)
def test_the_wrong_patients_reading_is_withdrawn(seed: int) -> None:
    first, withdrawn = versions(seed, always("wrong_patient"))
    assert mmhg(first) == mmhg(withdrawn)
    reading = read(withdrawn)
    assert isinstance(reading, Reading)
    assert reading.status == "entered-in-error"


@settings(deadline=None)
@given(st.integers(60, 290), st.integers(40, 200), st.integers())
def test_what_is_mistyped_is_the_two_exchanged_or_two_digits(systolic: int, diastolic: int, seed: int) -> None:
    wrong = mistyped((systolic, diastolic), Random(seed))
    if wrong != (diastolic, systolic):
        assert wrong[1] == diastolic
        assert sorted(str(wrong[0])) == sorted(str(systolic))
        assert wrong[0] != systolic


def test_exchanged_pressures_are_implausible_until_they_are_corrected() -> None:
    found = [versions(seed, always("mistyped")) for seed in range(50)]
    exchanged = [both for both in found if mmhg(both[0]) == mmhg(both[1])[::-1]]
    assert len(exchanged) > 5
    for wrong, corrected in exchanged:
        before, after = read(wrong), read(corrected)
        assert isinstance(before, Reading)
        assert isinstance(after, Reading)
        assert (before.flags, after.flags) == ((IMPLAUSIBLE,), ())


def test_errors_are_as_frequent_as_the_scenario_says() -> None:
    errors = Errors(both_missing=0.1, kilopascals=0.2)
    found = [versions(seed, errors) for seed in range(1000)]
    assert 70 < sum(mmhg(first) == (None, None) for first, *_ in found) < 130
    assert 150 < sum("profile" not in first["observation"]["meta"] for first, *_ in found) < 250


def test_readings_scatter_around_what_is_expected() -> None:
    values = [mmhg(versions(seed, Errors())[0]) for seed in range(2000)]
    for place, (mean, deviation) in enumerate(((128, 7.7), (79, 5))):
        found = [float(value[place] or 0) for value in values]
        average = sum(found) / len(found)
        assert average == pytest.approx(mean, abs=0.6)
        assert (sum((one - average) ** 2 for one in found) / len(found)) ** 0.5 == pytest.approx(deviation, abs=0.5)
