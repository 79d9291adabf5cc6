"""What we build is FHIR in R4B and in R5, in the seed's form, and test data says that it is."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.observation import Observation as R5Observation
from fhir.resources.patient import Patient as R5Patient
from fhir.resources.R4B.observation import Observation as R4BObservation
from fhir.resources.R4B.patient import Patient as R4BPatient
from hypothesis import given
from hypothesis import strategies as st

from bp_faust.fhir.resources import InvalidResource, envelope, observation, patient, validate

HTEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST", "display": "test health data"}

pressures = st.one_of(st.integers(0, 400), st.floats(0, 400).map(lambda value: round(value, 2)))
identities = st.from_regex(r"[A-Za-z0-9\-.]{1,64}", fullmatch=True)
times = st.none() | st.datetimes().map(lambda at: f"{at.isoformat()}+02:00")


def a_patient(**changes: Any) -> dict[str, Any]:
    fields = {"family": "Mensah", "given": ["Ama", "Akua"], "gender": "female", "birth_date": "1970-02-28"}
    return patient("patient-123", **{**fields, **changes})


@given(identities, identities, pressures, pressures, times, st.booleans())
def test_an_observation_is_valid_in_both_releases_and_keeps_what_it_was_given(
    patient_id: str, identity: str, systolic: float, diastolic: float, effective: str | None, simulated: bool
) -> None:
    resource = observation(patient_id, systolic, diastolic, identity=identity, effective=effective, simulated=simulated)
    validate(resource)
    models: list[Any] = [R4BObservation, R5Observation]
    for model in models:
        read = model.model_validate(resource)
        assert read.id == identity
        assert read.subject.reference == f"Patient/{patient_id}"
        assert [float(part.valueQuantity.value) for part in read.component] == [systolic, diastolic]
        assert (read.effectiveDateTime is None) == (effective is None)


def test_an_observation_has_the_codes_of_the_blood_pressure_profile() -> None:
    resource = observation("patient-123", 120, 80, identity="a")
    assert resource["status"] == "final"
    assert resource["category"][0]["coding"][0]["code"] == "vital-signs"
    assert resource["code"]["coding"][0]["code"] == "85354-9"
    parts = resource["component"]
    assert [part["code"]["coding"][0]["code"] for part in parts] == ["8480-6", "8462-4"]
    assert {part["code"]["coding"][0]["system"] for part in parts} == {"http://loinc.org"}
    assert {(part["valueQuantity"]["system"], part["valueQuantity"]["code"]) for part in parts} == {
        ("http://unitsofmeasure.org", "mm[Hg]")
    }


def test_a_time_that_is_not_known_is_left_out() -> None:
    assert "effectiveDateTime" not in observation("patient-123", 120, 80, identity="a")


@pytest.mark.parametrize("model", [R4BPatient, R5Patient])
def test_a_patient_is_valid_in_both_releases(model: Any) -> None:
    resource = a_patient()
    validate(resource)
    read = model.model_validate(resource)
    assert (read.id, read.name[0].given, read.gender) == ("patient-123", ["Ama", "Akua"], "female")
    assert read.birthDate.isoformat() == "1970-02-28"


def test_only_simulated_resources_are_labelled_as_test_data() -> None:
    simulated = [a_patient(simulated=True), observation("patient-123", 120, 80, identity="a", simulated=True)]
    assert [resource["meta"]["security"] for resource in simulated] == [[HTEST], [HTEST]]
    for resource in simulated:
        validate(resource)
    assert "meta" not in a_patient()
    assert "meta" not in observation("patient-123", 120, 80, identity="a")


def test_an_envelope_carries_both_as_they_are() -> None:
    person, measured = a_patient(), observation("patient-123", 120, 80, identity="a")
    assert envelope(person, measured) == {"patient": person, "observation": measured}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": "not an id"}, "id"),
        ({"status": None}, "status"),
        ({"code": {"coding": "85354-9"}}, "code.coding"),
        ({"component": [{"valueQuantity": {"value": 120}}]}, "component.0.code"),
        ({"effectiveDateTime": "2026-05-01T10:00:00"}, "effectiveDateTime"),
        ({"pressure": 120}, "pressure"),
    ],
)
def test_what_is_not_fhir_is_refused_with_the_place(change: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidResource, match=rf"Observation is not valid FHIR R4B, .*\b{place}\b"):
        validate({**observation("patient-123", 120, 80, identity="a"), **change})


def test_what_one_release_lacks_is_refused_by_name() -> None:
    """``instantiatesCanonical`` came with R5's Observation, and DocumentManifest left with R5."""
    with pytest.raises(InvalidResource, match="R4B"):
        validate({**observation("patient-123", 120, 80, identity="a"), "instantiatesCanonical": "http://example.org/a"})
    with pytest.raises(InvalidResource, match="R5"):
        validate({"resourceType": "DocumentManifest", "status": "current", "content": [{"reference": "Patient/a"}]})


def test_a_refusal_does_not_repeat_a_value() -> None:
    with pytest.raises(InvalidResource) as caught:
        validate(a_patient(gender="female", birth_date="born on a Sunday"))
    assert "Sunday" not in str(caught.value)


@pytest.mark.parametrize("resource_type", ["Nonsense", "", None, [], 5])
def test_what_has_no_resource_type_of_fhir_is_refused(resource_type: object) -> None:
    with pytest.raises(InvalidResource, match="resourceType"):
        validate({"resourceType": resource_type})
