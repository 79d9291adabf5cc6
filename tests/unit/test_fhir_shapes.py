"""Which records, codes, statuses and patients are read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bp_faust import fhir
from bp_faust.models import Reading
from tests.fhir_records import (
    LOINC,
    SNOMED_CT,
    component,
    concept,
    envelope,
    observation,
    quantity,
    reading,
    refused,
    rejection,
)

DATA = Path(__file__).parents[1] / "data" / "hl7"
EXAMPLES = Path(__file__).parents[2] / "examples"
OTHER = "http://example.org/codes"


def test_an_envelope_and_its_bare_observation_hold_the_same_reading() -> None:
    expected = Reading("p1", "o1", "final", 120.0, 80.0, 1341100800.0)
    assert reading(envelope()) == expected
    assert reading(observation()) == expected


@pytest.mark.parametrize(
    "wrap", [gzip.compress, lambda raw: b"\xef\xbb\xbf" + raw, lambda raw: gzip.compress(b"\xef\xbb\xbf" + raw)]
)
def test_gzip_and_byte_order_mark_change_nothing(wrap: Any) -> None:
    raw = json.dumps(envelope()).encode()
    assert fhir.parse(wrap(raw)) == fhir.parse(raw)


def test_a_gzip_of_several_members_is_one_text() -> None:
    raw = json.dumps(envelope()).encode()
    assert fhir.parse(gzip.compress(raw[:100]) + gzip.compress(raw[100:])) == fhir.parse(raw)


@pytest.mark.parametrize(
    ("name", "systolic", "diastolic", "status"),
    [
        ("Observation-blood-pressure", 107.0, 60.0, "final"),
        ("Observation-blood-pressure-dar", 107.0, None, "final"),
        ("Observation-blood-pressure-cancel", None, None, "cancelled"),
    ],
)
def test_hl7s_examples_are_read(name: str, systolic: float | None, diastolic: float | None, status: str) -> None:
    identity = name.removeprefix("Observation-")
    expected = [Reading("example", identity, status, systolic, diastolic, 1347840000.0)]
    assert fhir.parse((DATA / f"{name}.json").read_bytes()) == expected


def test_every_reading_of_the_ghanaian_trial_is_read() -> None:
    with gzip.open(EXAMPLES / "ghana-readings.ndjson.gz") as file:
        outcomes = [outcome for line in file for outcome in fhir.parse(line)]
    assert len(outcomes) == 1997
    assert all(isinstance(outcome, Reading) and outcome.systolic and outcome.diastolic for outcome in outcomes)


@pytest.mark.parametrize(
    "code",
    [
        concept((LOINC, "85354-9")),
        concept((LOINC, "55284-4")),
        concept((LOINC, "35094-2")),
        concept((SNOMED_CT, "75367002")),
        concept((None, "85354-9")),
        concept((OTHER, "bp"), (LOINC, "85354-9")),
        concept((OTHER, "bp")),
        {"text": "Blood pressure"},
        None,
    ],
)
def test_components_of_blood_pressure_count_under_any_code_but_an_average(code: Any) -> None:
    found = reading(observation(code=code))
    assert (found.systolic, found.diastolic) == (120.0, 80.0)


@pytest.mark.parametrize(
    ("systolic", "diastolic"),
    [
        (concept((LOINC, "8480-6")), concept((LOINC, "8462-4"))),
        (concept((SNOMED_CT, "271649006")), concept((SNOMED_CT, "271650006"))),
        (concept((None, "8480-6")), concept((None, "8462-4"))),
        (concept((OTHER, "bp-s"), (LOINC, "8480-6")), concept((OTHER, "8480-6"), (LOINC, "8462-4"))),
        (concept((LOINC, "8480-6"), (SNOMED_CT, "271649006")), concept((SNOMED_CT, "1"), (None, "271650006"))),
    ],
)
def test_a_component_is_known_by_any_of_its_codings(systolic: Any, diastolic: Any) -> None:
    parts = [component("", 80, code=diastolic), component("", 120, code=systolic)]
    found = reading(observation(component=parts))
    assert (found.systolic, found.diastolic) == (120.0, 80.0)


def test_a_code_of_the_wrong_system_does_not_count() -> None:
    parts = [component("", 120, code=concept((OTHER, "8480-6"))), component("", 80, code=concept((LOINC, "271650006")))]
    assert refused(observation(component=parts)) == ("no-value", "$")
    wrong = observation(code=concept((OTHER, "85354-9")), component=parts)
    assert refused(wrong) == ("not-blood-pressure", "code")


@pytest.mark.parametrize(
    ("code", "systolic", "diastolic"),
    [
        ((LOINC, "8480-6"), 120.0, None),
        ((LOINC, "8462-4"), None, 120.0),
        ((SNOMED_CT, "271649006"), 120.0, None),
        ((SNOMED_CT, "271650006"), None, 120.0),
    ],
)
def test_a_stand_alone_pressure_is_read_at_the_root(
    code: tuple[str, str], systolic: float | None, diastolic: float | None
) -> None:
    found = reading(observation(code=concept(code), component=None, valueQuantity=quantity(120)))
    assert (found.systolic, found.diastolic) == (systolic, diastolic)


def test_a_stand_alone_pressure_is_refused_by_the_rules_of_a_component() -> None:
    alone = observation(code=concept((LOINC, "8480-6")), component=None)
    assert refused(alone) == ("value-missing", "$")
    assert refused({**alone, "valueQuantity": quantity("?")}) == ("value-not-numeric", "valueQuantity.value")
    assert refused({**alone, "valueString": "120"}) == ("value-type", "valueString")
    assert refused({**alone, "dataAbsentReason": concept((OTHER, "unknown"))}) == ("no-value", "$")


@pytest.mark.parametrize(
    ("record", "path"),
    [
        (observation(code=concept((LOINC, "96607-7"))), "code"),
        (observation(code=concept((LOINC, "85354-9"), (LOINC, "96607-7"))), "code"),
        (observation(code=concept((LOINC, "96608-5")), component=None, valueQuantity=quantity(120)), "code"),
        (observation(component=[component("96608-5", 120), component("96609-3", 80)]), "component"),
        (observation(code=None, component=[component("96609-3", 80)]), "component"),
    ],
)
def test_an_average_is_no_reading(record: Any, path: str) -> None:
    assert refused(record) == ("average", path)


@pytest.mark.parametrize("code", [concept((LOINC, "8867-4")), concept((OTHER, "85354-9")), {"text": "BP"}, None])
def test_another_observation_is_no_blood_pressure(code: Any) -> None:
    assert refused(observation(code=code, component=None, valueQuantity=quantity(72))) == ("not-blood-pressure", "code")


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ([component("8480-6", 120), component("8480-6", 121), component("8462-4", 80)], "component[1]"),
        ([component("8480-6", 120), component("8462-4", 80), component("8462-4", 80)], "component[2]"),
        ([component("", 120, code=concept((LOINC, "8480-6"), (LOINC, "8462-4")))], "component[0]"),
    ],
)
def test_two_pressures_for_one_are_ambiguous(parts: list[Any], path: str) -> None:
    assert refused(observation(component=parts)) == ("ambiguous", path)


@pytest.mark.parametrize("status", ["registered", "preliminary", "final", "amended", "corrected", "unknown"])
def test_an_observation_in_force_is_read_with_its_status(status: str) -> None:
    assert reading(observation(status=status)).status == status


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error"])
@pytest.mark.parametrize(
    "record",
    [
        observation(),
        observation(component=None),
        observation("?", "?"),
        observation(effectiveDateTime="yesterday"),
        observation(code=None, component=None),
        observation(modifierExtension=[{"url": "http://example.org/x"}]),
    ],
)
def test_a_withdrawal_needs_no_values(record: Any, status: str) -> None:
    found = reading({**record, "status": status})
    assert (found.patient_id, found.observation_id, found.status) == ("p1", "o1", status)
    assert (found.systolic, found.diastolic, found.flags) == (None, None, ())


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error"])
def test_a_withdrawal_needs_id_patient_and_blood_pressure(status: str) -> None:
    assert refused(observation(status=status, id=None)) == ("id-missing", "id")
    assert refused(observation(status=status, subject=None)) == ("patient-missing", "subject")
    other = observation(status=status, code=concept((LOINC, "8867-4")), component=None)
    assert refused(other) == ("not-blood-pressure", "code")


def test_a_status_that_is_none_of_fhirs_is_refused() -> None:
    assert refused(observation(status="done")) == ("status-unknown", "status")
    assert refused(observation(status="Final")) == ("status-unknown", "status")
    assert refused(observation(status="")) == ("status-unknown", "status")
    assert refused(observation(status=7)) == ("shape-invalid", "status")


def test_an_observation_without_status_is_refused_since_it_may_be_withdrawn() -> None:
    assert refused(envelope(observation(status=None))) == ("status-missing", "observation.status")


@pytest.mark.parametrize("place", ["modifierExtension", "implicitRules"])
def test_what_may_change_the_meaning_unknown_to_us_is_refused(place: str) -> None:
    value: Any = "http://example.org/rules" if place == "implicitRules" else [{"url": "http://example.org/negated"}]
    assert refused(observation(**{place: value})) == ("modifier-unknown", place)


def test_a_component_with_a_modifier_extension_is_refused() -> None:
    part = component("8480-6", 120, modifierExtension=[{"url": "http://example.org/negated"}])
    assert refused(observation(component=[part])) == ("modifier-unknown", "component[0].modifierExtension")


@pytest.mark.parametrize(
    ("subject", "patient"),
    [
        ({"reference": "Patient/p7"}, "p7"),
        ({"reference": "Patient/p7/_history/3"}, "p7"),
        ({"reference": "https://fhir.example.org/r4/Patient/p7"}, "p7"),
        ({"reference": "https://fhir.example.org/r4/Patient/p7/_history/3"}, "p7"),
        ({"reference": "http://localhost:8080/fhir/Patient/p7", "type": "Patient"}, "p7"),
        ({"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}, "0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        ({"reference": "Patient?identifier=urn:mrn%7C77"}, "urn:mrn|77"),
        ({"identifier": {"system": "urn:mrn", "value": "77"}}, "urn:mrn|77"),
        ({"identifier": {"value": "77"}}, "|77"),
        ({"reference": "Patient/p7", "identifier": {"system": "urn:mrn", "value": "77"}}, "p7"),
        ({"type": "Patient", "identifier": {"system": "urn:mrn", "value": "77"}, "display": "Somebody"}, "urn:mrn|77"),
    ],
)
def test_the_patient_is_the_subject(subject: Any, patient: str) -> None:
    assert reading(observation(subject=subject)).patient_id == patient
    assert reading(envelope(observation(subject=subject), patient=None)).patient_id == patient


@pytest.mark.parametrize(
    ("subject", "place"),
    [
        ({"reference": "Group/g1"}, "reference"),
        ({"reference": "https://fhir.example.org/Device/d1"}, "reference"),
        ({"reference": "Location/l1/_history/2"}, "reference"),
        ({"type": "Device", "identifier": {"value": "d1"}}, "type"),
        ({"type": "Group", "reference": "urn:uuid:1"}, "type"),
    ],
)
def test_a_subject_that_is_no_patient_is_refused(subject: Any, place: str) -> None:
    assert refused(observation(subject=subject)) == ("subject-not-patient", f"subject.{place}")


@pytest.mark.parametrize("subject", [None, {}, {"display": "Somebody"}, {"reference": "#nobody"}])
def test_without_a_subject_the_envelopes_patient_counts(subject: Any) -> None:
    assert refused(observation(subject=subject)) == ("patient-missing", "subject")
    assert refused(envelope(observation(subject=subject), patient=None)) == ("patient-missing", "observation.subject")
    assert reading(envelope(observation(subject=subject))).patient_id == "p1"


def test_an_envelopes_patient_without_id_counts_by_identifier() -> None:
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:mrn", "value": "77"}]}
    assert reading(envelope(observation(subject=None), patient=patient)).patient_id == "urn:mrn|77"


def test_a_reference_that_leads_nowhere_is_refused() -> None:
    assert refused(observation(subject={"reference": "p1"})) == ("patient-missing", "subject.reference")
    assert refused(observation(subject={"reference": "Patient/"})) == ("patient-missing", "subject.reference")


def test_an_envelope_with_another_patient_than_the_subject_is_refused() -> None:
    record = envelope(patient={"resourceType": "Patient", "id": "p2"})
    assert refused(record) == ("patient-mismatch", "observation.subject.reference")


def test_an_identifier_that_the_envelopes_patient_does_not_have_is_a_mismatch() -> None:
    inner = observation(subject={"identifier": {"system": "urn:mrn", "value": "77"}})
    patient = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:mrn", "value": "77"}]}
    assert reading(envelope(inner, patient=patient)).patient_id == "urn:mrn|77"
    patient["identifier"] = [{"system": "urn:mrn", "value": "78"}]
    assert refused(envelope(inner, patient=patient)) == ("patient-mismatch", "observation.subject.identifier")


def test_a_contained_patient_counts_by_identifier_since_its_id_means_nothing_elsewhere() -> None:
    contained: dict[str, Any] = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "s", "value": "1"}]}
    assert reading(observation(subject={"reference": "#p"}, contained=[contained])).patient_id == "s|1"
    del contained["identifier"]
    inner = observation(subject={"reference": "#p"}, contained=[contained])
    assert refused(inner) == ("patient-missing", "subject")
    assert reading(envelope(inner)).patient_id == "p1"
    contained["resourceType"] = "Group"
    inner = observation(subject={"reference": "#p"}, contained=[contained])
    assert refused(inner) == ("subject-not-patient", "subject.reference")


@pytest.mark.parametrize("identity", ["", "x" * 257, "a\nb", "a\0b"])
def test_an_id_that_can_name_nothing_is_refused(identity: str) -> None:
    assert refused(observation(id=identity)) == ("id-invalid", "id")


def test_an_observation_without_id_is_read() -> None:
    assert reading(observation(id=None)).observation_id is None


def test_version_and_last_update_are_read() -> None:
    found = reading(observation(meta={"versionId": "3", "lastUpdated": "2012-07-02T10:00:00.250Z"}))
    assert (found.version, found.last_updated) == ("3", 1341223200.25)
    assert refused(observation(meta={"lastUpdated": "soon"})) == ("time-invalid", "meta.lastUpdated")


@pytest.mark.parametrize(
    ("record", "reason", "path"),
    [
        ({}, "resource-unsupported", "$"),
        ({"resourceType": "Patient", "id": "p1"}, "resource-unsupported", "resourceType"),
        ({"resourceType": 1}, "shape-invalid", "resourceType"),
        ({"patient": {"id": "p1"}}, "resource-unsupported", "$"),
        ({"observation": []}, "shape-invalid", "observation"),
        ({"observation": {}}, "not-blood-pressure", "observation.code"),
        ({"observation": {"resourceType": "Patient"}}, "resource-unsupported", "observation.resourceType"),
        (envelope(patient="p1"), "shape-invalid", "patient"),
        (envelope(patient={"resourceType": "Group", "id": "p1"}), "subject-not-patient", "patient.resourceType"),
        (observation(component={}), "shape-invalid", "component"),
        (observation(component=[1]), "shape-invalid", "component[0]"),
        (observation(code="85354-9"), "shape-invalid", "code"),
        (observation(code={"coding": ["85354-9"]}), "shape-invalid", "code.coding[0]"),
        (observation(subject="Patient/p1"), "shape-invalid", "subject"),
        (observation(subject={"reference": 1}), "shape-invalid", "subject.reference"),
        (observation(id=1), "shape-invalid", "id"),
        (observation(meta={"versionId": 1}), "shape-invalid", "meta.versionId"),
        ([observation()], "shape-invalid", "$"),
        ("text", "shape-invalid", "$"),
    ],
)
def test_a_record_of_another_shape_is_refused_where_it_differs(record: Any, reason: str, path: str) -> None:
    assert refused(record) == (reason, path)


def test_the_seeds_own_observation_is_read() -> None:
    """Its generator names no system in the components and no unit code, and writes decimals as strings."""
    parts = [
        {
            "code": {"coding": [{"code": code, "display": "Blood Pressure"}]},
            "valueQuantity": {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org"},
        }
        for code, value in (("8480-6", "120.0"), ("8462-4", "80.0"))
    ]
    found = reading(observation(component=parts, effectiveDateTime=None))
    assert (found.systolic, found.diastolic, found.effective) == (120.0, 80.0, None)


def test_a_refusal_tells_nothing_of_the_record() -> None:
    secret = "Zyxwvut"
    inner = observation(
        component=[component("8480-6", secret)],
        note=[{"text": secret}],
        performer=[{"display": secret, secret: secret}],
        **{secret: {secret: secret}},
    )
    for validation in ("off", "rejects", "all"):
        found = rejection(envelope(inner), validation=validation)
        assert secret.casefold() not in repr(found).casefold()
