"""Build FHIR resources as plain dictionaries, and check them against the standard's models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bp_faust.fhir.codes import LOINC
from bp_faust.fhir.units import UCUM

#: The category of blood pressures.
VITAL_SIGNS = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "vital-signs",
            "display": "Vital Signs",
        }
    ]
}

#: The releases whose models a resource of ours must satisfy; R4B has the Observation and Patient of R4 unchanged.
RELEASES = ("R4B", "R5")


class InvalidResource(ValueError):
    """Tell that a resource is not valid FHIR, in which release, and where."""


def observation(
    patient_id: str,
    systolic: float,
    diastolic: float,
    *,
    identity: str,
    effective: str | None = None,
    simulated: bool = False,
) -> dict[str, Any]:
    """Return a blood-pressure Observation of a patient, valid in R4, R4B and R5.

    Pressures are in mmHg; ``effective`` is a FHIR dateTime, with a zone where it has a time of day. The codes are those
    of the profile http://hl7.org/fhir/R4/bp.html: LOINC 85354-9 for the panel, 8480-6 and 8462-4 for its components,
    and UCUM ``mm[Hg]``. ``simulated`` labels it as test data.
    """
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": identity,
        **_meta(simulated),
        "status": "final",
        "category": [VITAL_SIGNS],
        "code": _loinc("85354-9", "Blood pressure panel with all children optional"),
        "subject": {"reference": f"Patient/{patient_id}"},
    }
    if effective is not None:
        resource["effectiveDateTime"] = effective
    resource["component"] = [
        {"code": _loinc("8480-6", "Systolic blood pressure"), "valueQuantity": mmhg(systolic)},
        {"code": _loinc("8462-4", "Diastolic blood pressure"), "valueQuantity": mmhg(diastolic)},
    ]
    return resource


def patient(
    identity: str, *, family: str, given: Iterable[str], gender: str, birth_date: str, simulated: bool = False
) -> dict[str, Any]:
    """Return a Patient, valid in R4, R4B and R5.

    ``gender`` is a code of http://hl7.org/fhir/ValueSet/administrative-gender, ``birth_date`` a FHIR date.
    ``simulated`` labels it as test data.
    """
    return {
        "resourceType": "Patient",
        "id": identity,
        **_meta(simulated),
        "name": [{"use": "official", "family": family, "given": list(given)}],
        "gender": gender,
        "birthDate": birth_date,
    }


def envelope(patient: dict[str, Any], observation: dict[str, Any]) -> dict[str, Any]:
    """Return the message of the ingest topic that carries an Observation and its Patient."""
    return {"patient": patient, "observation": observation}


def validate(resource: dict[str, Any]) -> None:
    """Check a resource against the models of R4B and R5.

    Raises ``InvalidResource`` where either does not accept it.
    """
    # Loading the models takes longer than the rest of a command, and only a check needs them.
    from fhir.resources import get_fhir_model_class as r5_model
    from fhir.resources.R4B import get_fhir_model_class as r4b_model
    from pydantic import ValidationError

    resource_type = resource.get("resourceType")
    for release, model_class in zip(RELEASES, (r4b_model, r5_model), strict=True):
        try:
            model = model_class(str(resource_type))
        except ValueError as exc:
            raise InvalidResource(
                f"resourceType is {resource_type!r}, which FHIR {release} lacks: set it, for instance to Observation."
            ) from exc
        try:
            model.model_validate(resource)
        except ValidationError as exc:
            # Values are left out: they may be a patient's.
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc'])) or resource_type}: {fault['msg']}"
                for fault in exc.errors(include_url=False, include_input=False, include_context=False)
            )
            raise InvalidResource(f"This {resource_type} is not valid FHIR {release}, correct it at {faults}") from exc


def mmhg(value: float) -> dict[str, Any]:
    """Return the Quantity of a pressure in mmHg."""
    return {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}


def _meta(simulated: bool) -> dict[str, Any]:
    if not simulated:
        return {}
    label = {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
        "code": "HTEST",
        "display": "test health data",
    }
    return {"meta": {"security": [label]}}


def _loinc(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code, "display": display}]}
