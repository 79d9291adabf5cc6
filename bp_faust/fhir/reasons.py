"""Say why a record is refused, and what its sender should do."""

from __future__ import annotations

from enum import Enum


class Reason(str, Enum):
    """Name one reason for refusing a record; the value is its code.

    ``meaning`` and ``remedy`` are sentences for the sender; they hold nothing of any record.
    """

    meaning: str
    remedy: str

    def __new__(cls, code: str, meaning: str, remedy: str) -> Reason:
        """Build a member whose value is its code alone."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        member.remedy = remedy
        return member

    EMPTY = (
        "empty",
        "The record's value is empty.",
        "Send a FHIR resource; to take a reading back, send its Observation with status entered-in-error.",
    )
    TOO_LARGE = (
        "too-large",
        "The record is longer than is allowed, as it came or unzipped.",
        "Send Observations one by one, or smaller Bundles.",
    )
    GZIP_BROKEN = (
        "gzip-broken",
        "The record begins as gzip but cannot be unzipped.",
        "Compress it again, or not at all.",
    )
    NOT_UTF8 = ("not-utf8", "The record is not UTF-8 text.", "Encode the JSON in UTF-8.")
    NOT_JSON = ("not-json", "The record is not JSON.", "Send FHIR in its JSON form.")
    TOO_DEEP = ("too-deep", "The JSON is nested deeper than any FHIR resource.", "Correct what writes the record.")
    SHAPE_INVALID = (
        "shape-invalid",
        "An element has not the JSON type that FHIR gives it.",
        "Correct the element that the path names.",
    )
    RESOURCE_UNSUPPORTED = (
        "resource-unsupported",
        "It is neither an Observation, nor a Bundle, nor an envelope of patient and observation.",
        "Send one of these three.",
    )
    NOTHING_INSIDE = (
        "nothing-inside",
        "The Bundle, or the entry of a Bundle, holds no Observation.",
        "Send the resources themselves; let a subscription send full resources.",
    )
    CHANGE_UNSUPPORTED = (
        "change-unsupported",
        "The entry patches an Observation, or deletes Observations by a search.",
        "Send the whole Observation, or delete it by its id.",
    )
    MODIFIER_UNKNOWN = (
        "modifier-unknown",
        "A modifier extension or implicit rules may change the meaning of the Observation, and are not known here.",
        "Send the Observation without them, where its meaning allows that.",
    )
    NOT_BLOOD_PRESSURE = (
        "not-blood-pressure",
        "The Observation has no code of blood pressure.",
        "Keep other Observations off this topic, or code it by LOINC or SNOMED CT.",
    )
    AVERAGE = (
        "average",
        "It is an average of several readings (LOINC 96607-7), not a reading.",
        "Send the readings that it was made of.",
    )
    AMBIGUOUS = (
        "ambiguous",
        "There are two systolic or two diastolic pressures, or one that is both.",
        "Send one Observation for each reading.",
    )
    STATUS_MISSING = (
        "status-missing",
        "The Observation has no status, so that it may be one that is withdrawn.",
        "Send the status; FHIR requires it.",
    )
    STATUS_UNKNOWN = (
        "status-unknown",
        "The status is none of FHIR's codes.",
        "Send a code of http://hl7.org/fhir/ValueSet/observation-status.",
    )
    ID_INVALID = (
        "id-invalid",
        "An id is empty, longer than 256 characters, or has unprintable characters.",
        "Send an id of letters, digits, hyphens and dots.",
    )
    ID_MISSING = (
        "id-missing",
        "The Observation is withdrawn but has no id, so that it is not known which one is meant.",
        "Send the id of the Observation that is withdrawn.",
    )
    PATIENT_MISSING = (
        "patient-missing",
        "It is not said whose reading it is.",
        "Send a subject with a reference to a Patient or with an identifier, or the patient in the envelope.",
    )
    PATIENT_MISMATCH = (
        "patient-mismatch",
        "The envelope's patient is not the Observation's subject.",
        "Find out whose reading it is, and send it with one patient.",
    )
    SUBJECT_NOT_PATIENT = (
        "subject-not-patient",
        "The subject is not a Patient but a Group, a Device, a Location or the like.",
        "Send readings of patients only.",
    )
    NO_VALUE = (
        "no-value",
        "Neither a systolic nor a diastolic pressure has a value.",
        "Nothing where the data is absent for a reason; else send the value.",
    )
    VALUE_MISSING = (
        "value-missing",
        "A pressure has neither a value nor a dataAbsentReason.",
        "Send the value, or say why it is absent.",
    )
    VALUE_TYPE = (
        "value-type",
        "A pressure is not a Quantity but another type of value.",
        "Send it as valueQuantity.",
    )
    VALUE_NOT_NUMERIC = (
        "value-not-numeric",
        "A pressure is no number: text, a boolean, NaN, negative, or beyond every measure.",
        "Send the measured number.",
    )
    COMPARATOR_UNKNOWN = (
        "comparator-unknown",
        "A pressure has a comparator other than <, <=, > and >=.",
        "Send one of these, or none.",
    )
    UNIT_UNKNOWN = (
        "unit-unknown",
        "A pressure has no unit, or one that is not known as a unit of pressure.",
        "Send system http://unitsofmeasure.org and code mm[Hg].",
    )
    TIME_INVALID = (
        "time-invalid",
        "A time cannot be read.",
        "Send a FHIR date or time, such as 2012-07-01T08:30:00+02:00.",
    )
    FHIR_INVALID = (
        "fhir-invalid",
        "It can be read, but is not valid FHIR, and this site asks for valid FHIR.",
        "Correct what the path names.",
    )


BY_CODE: dict[str, Reason] = {reason.value: reason for reason in Reason}


def reason_table() -> str:
    """Return all reasons as a Markdown table: code, meaning, what the sender should do."""
    rows = [f"| `{reason.value}` | {reason.meaning} | {reason.remedy} |".replace("<", "&lt;") for reason in Reason]
    return "\n".join(["| Code | Meaning | What the sender should do |", "|---|---|---|", *rows, ""])
