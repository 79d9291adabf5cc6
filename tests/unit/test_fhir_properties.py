"""What holds for every record: parse never raises, its two paths agree, and valid FHIR is readable."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.observation import Observation as R5Observation
from fhir.resources.R4B.observation import Observation as R4BObservation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bp_faust import fhir
from bp_faust.fhir import fast_path
from bp_faust.fhir.parsing import parse_generally
from bp_faust.models import Reading, Rejection
from tests.fhir_records import LOINC, SNOMED_CT, UCUM, bundle, concept, envelope, observation

OPTIONS = fhir.ParseOptions(validation="off")
REASONS = {reason.value for reason in fhir.Reason}

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def rarely(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda chance: rare if chance == 9 else usual)


systems = st.sampled_from([LOINC, LOINC, LOINC, SNOMED_CT, "http://example.org", None])
codes = st.sampled_from(
    ["85354-9", "8480-6", "8462-4", "55284-4", "96607-7", "96608-5", "271649006", "271650006", "8867-4", "x", ""]
)
codings = st.fixed_dictionaries({}, optional={"system": systems, "code": codes, "display": st.text(max_size=5)})
concepts = st.fixed_dictionaries({}, optional={"coding": st.lists(codings, max_size=3), "text": st.text(max_size=5)})
numbers = (
    st.integers(0, 400)
    | st.floats(-10, 1000)
    | st.decimals(0, 400, places=3).map(str)
    | st.sampled_from([139.99999999999999999, 1e300, 1e-300, "NaN", "1e3", True, "", 10**30])
)
quantities = st.fixed_dictionaries(
    {"value": rarely(numbers, junk)},
    optional={
        "unit": st.sampled_from(["mmHg", "mm Hg", "kPa", "x"]),
        "system": st.sampled_from([UCUM, "http://example.org"]),
        "code": st.sampled_from(["mm[Hg]", "mm[Hg]", "mm[Hg]", "kPa", "x", ""]),
        "comparator": st.sampled_from(["<", ">", "<=", ">=", "~"]),
    },
)
times = rarely(
    st.sampled_from(["2012", "2012-07", "2012-07-01", "2012-07-01T08:30:00.125+02:00"]),
    st.sampled_from(["2012-02-30", "x", ""]),
)
pressures = st.sampled_from([concept((LOINC, "8480-6")), concept((LOINC, "8462-4"))])
plain_quantities = numbers.map(lambda value: {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"})
plausible_quantities = st.integers(30, 300).map(lambda value: {"value": value, "code": "mm[Hg]"}) | plain_quantities
components = st.fixed_dictionaries(
    {"code": rarely(pressures, concepts), "valueQuantity": rarely(plausible_quantities, quantities | junk)},
    optional={
        "dataAbsentReason": rarely(st.none(), concepts | junk),
    },
)
pairs = st.tuples(plausible_quantities, plausible_quantities).map(
    lambda pair: [
        {"code": concept((LOINC, "8480-6")), "valueQuantity": pair[0]},
        {"code": concept((LOINC, "8462-4")), "valueQuantity": pair[1]},
    ]
)
references = st.sampled_from(
    [
        "Patient/p1",
        "Patient/p1",
        "Patient/p1/_history/1",
        "Patient/p?q",
        "Patient/p#q",
        "Group/g",
        "#c",
        "urn:uuid:1",
        "x",
        "",
    ]
)
members: dict[str, st.SearchStrategy[Any]] = {
    "resourceType": st.just("Observation"),
    "id": rarely(st.sampled_from(["o1", "o2"]), st.text(max_size=3)),
    "status": rarely(st.sampled_from(["final", "amended", "unknown"]), st.sampled_from(["cancelled", "x", None])),
    "code": rarely(st.just(concept((LOINC, "85354-9"))), concepts),
    "subject": rarely(st.just({"reference": "Patient/p1"}), st.builds(lambda text: {"reference": text}, references)),
    "component": pairs | st.lists(components, min_size=1, max_size=3),
}
unusual: dict[str, st.SearchStrategy[Any]] = {
    "effectiveDateTime": times,
    "effectivePeriod": st.fixed_dictionaries({}, optional={"start": times, "end": times}),
    "effectiveInstant": times,
    "meta": st.fixed_dictionaries({}, optional={"versionId": st.sampled_from(["1", "2"]), "lastUpdated": times}),
    "valueQuantity": quantities,
    "note": junk,
}
others = ["implicitRules", "modifierExtension", "effectiveTiming", "contained", "dataAbsentReason"]
observations = st.fixed_dictionaries(members, optional=unusual)
spoiled = st.builds(
    lambda whole, name, value: {**whole, name: value},
    observations,
    st.sampled_from([*members, *unusual, *others]),
    junk,
)
any_observation = rarely(observations, spoiled)
patients = st.sampled_from([{"resourceType": "Patient", "id": "p1"}, {"id": "p1"}, {"id": "p2"}, {}, None, 1])
records = (
    any_observation
    | st.builds(lambda inner, patient: {"patient": patient, "observation": inner}, any_observation, patients)
    | st.builds(lambda inner: bundle("collection", *[{"resource": one} for one in inner]), st.lists(any_observation))
)
raws = records.map(lambda record: json.dumps(record).encode())


@settings(max_examples=500, deadline=None)
@given(raws)
def test_the_fast_path_reads_what_the_general_path_reads(raw: bytes) -> None:
    assert fhir.parse(raw, OPTIONS) == parse_generally(raw, OPTIONS)


@pytest.mark.parametrize("reference", ["Patient/p1?a=b", "Patient/p1#a", "Patient/p1/", "Patient/", "Patient//p1", ""])
def test_the_two_paths_agree_on_what_is_no_id(reference: str) -> None:
    raw = json.dumps(observation(subject={"reference": reference})).encode()
    (found,) = fhir.parse(raw, OPTIONS)
    assert [found] == parse_generally(raw, OPTIONS)
    assert isinstance(found, Rejection)


def test_the_two_paths_agree_on_a_patient_whose_type_is_null() -> None:
    patient = {"resourceType": None, "id": "p1", "birthDate": "1950"}
    raw = json.dumps({"patient": patient, "observation": observation()}).encode()
    assert fhir.parse(raw, OPTIONS) == parse_generally(raw, OPTIONS)


@pytest.mark.parametrize("name", ["dataAbsentReason", "implicitRules", "modifierExtension"])
@pytest.mark.parametrize("value", ["x", 5, [], {}, [{}], None])
def test_the_two_paths_agree_on_what_a_component_has_besides(name: str, value: object) -> None:
    record = observation()
    record["component"][0][name] = value
    raw = json.dumps(record).encode()
    assert fhir.parse(raw, OPTIONS) == parse_generally(raw, OPTIONS)


@settings(max_examples=500, deadline=None)
@given(raws, st.data())
def test_the_two_paths_agree_on_damaged_bytes(raw: bytes, data: st.DataObject) -> None:
    damaged = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert fhir.parse(bytes(damaged), OPTIONS) == parse_generally(bytes(damaged), OPTIONS)


@settings(max_examples=300, deadline=None)
@given(st.decimals(Decimal("1"), Decimal("999"), allow_nan=False, allow_infinity=False))
def test_both_paths_keep_a_decimal_on_its_side_of_every_whole_number(value: Decimal) -> None:
    raw = json.dumps(observation("@", 5)).replace('"@"', format(value, "f")).encode()
    (found,) = fhir.parse(raw, OPTIONS)
    assert [found] == parse_generally(raw, OPTIONS)
    assert isinstance(found, Reading)
    assert found.systolic is not None
    whole = value.to_integral_value()
    assert (found.systolic > whole, found.systolic < whole) == (value > whole, value < whole)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=100).map(gzip.compress) | junk.map(json.dumps).map(str.encode))
def test_any_bytes_have_an_outcome(raw: bytes) -> None:
    found = fhir.parse(raw)
    assert found
    assert all(isinstance(outcome, Rejection) and outcome.reason in REASONS for outcome in found)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raws, st.sampled_from(["off", "rejects", "all"]))
def test_every_record_has_outcomes_of_known_reasons(raw: bytes, validation: Any) -> None:
    found = fhir.parse(raw, fhir.ParseOptions(validation=validation))
    assert found
    for outcome in found:
        assert isinstance(outcome, Reading) or (outcome.reason in REASONS and outcome.path and outcome.detail)


valid_quantities = st.builds(
    lambda value, comparator: {
        "value": value,
        "unit": "mmHg",
        "system": UCUM,
        "code": "mm[Hg]",
        **({"comparator": comparator} if comparator else {}),
    },
    st.integers(0, 400) | st.decimals(0, 400, places=2).map(float),
    st.sampled_from([None, None, None, "<", ">", "<=", ">="]),
)
valid_times = st.dates().map(str) | st.datetimes().map(lambda time: time.isoformat(timespec="milliseconds") + "Z")
valid_observations = st.fixed_dictionaries(
    {
        "resourceType": st.just("Observation"),
        "status": st.sampled_from(["registered", "preliminary", "final", "amended", "corrected", "unknown"]),
        "code": st.just(concept((LOINC, "85354-9"))),
        "subject": st.sampled_from([{"reference": "Patient/p1"}, {"identifier": {"system": "urn:s", "value": "1"}}]),
        "component": st.tuples(valid_quantities, valid_quantities).map(
            lambda pair: [
                {"code": concept((LOINC, "8480-6")), "valueQuantity": pair[0]},
                {"code": concept((SNOMED_CT, "271650006")), "valueQuantity": pair[1]},
            ]
        ),
    },
    optional={
        "id": st.from_regex(r"[A-Za-z0-9.\-]{1,64}", fullmatch=True),
        "effectiveDateTime": valid_times,
        "meta": st.fixed_dictionaries({"versionId": st.from_regex(r"[A-Za-z0-9.\-]{1,64}", fullmatch=True)}),
    },
)


@pytest.mark.parametrize("model", [R4BObservation, R5Observation])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(valid_observations)
def test_what_fhir_resources_accepts_is_readable_and_reads_the_same(model: Any, record: dict[str, Any]) -> None:
    accepted = model.model_validate(record)
    (found,) = fhir.parse(accepted.model_dump_json().encode(), OPTIONS)
    assert isinstance(found, Reading), found
    for value, part in zip((found.systolic, found.diastolic), accepted.component, strict=True):
        assert value == pytest.approx(float(part.valueQuantity.value))
    assert found.status == accepted.status
    assert found.observation_id == accepted.id
    if accepted.effectiveDateTime is None:
        assert found.effective is None
    for validation in ("all", "rejects"):
        options = fhir.ParseOptions(validation=validation)
        assert fhir.parse(json.dumps(record).encode(), options) == fhir.parse(json.dumps(record).encode(), OPTIONS)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_observation)
def test_with_full_validation_only_valid_fhir_is_read(record: dict[str, Any]) -> None:
    (found,) = fhir.parse(json.dumps(envelope(record)).encode(), fhir.ParseOptions(validation="all"))
    if isinstance(found, Reading):
        assert any(_accepts(model, record) for model in (R4BObservation, R5Observation))


def _accepts(model: Any, record: dict[str, Any]) -> bool:
    try:
        model.model_validate(record)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "record",
    [
        envelope(),
        envelope(patient=None),
        observation(),
        observation(147, 84.25),
        observation("147.5", "84"),
        observation(400, 80),
        observation(id=None, effectiveDateTime=None),
        observation(effectiveDateTime="2012-07-01T08:30:00.125+02:00", meta={"versionId": "2", "lastUpdated": "2012"}),
    ],
)
def test_the_common_record_takes_the_fast_path(record: dict[str, Any]) -> None:
    """Guard the agreement of the two paths against a fast path that leaves everything to the other one."""
    assert fast_path.read(json.dumps(record).encode(), OPTIONS) is not None
