"""Name what the views answer: plain data, of which the web API's description is made."""

from __future__ import annotations

from msgspec import Struct

from bp_faust.clinical.averages import Average, Day
from bp_faust.models import AlertEvent, PatientSettings


class Error(Struct):
    """Say in a sentence why there is no other answer."""

    error: str


class LatestReading(Struct):
    """Hold a patient's latest reading; pressures in mmHg, the timestamp in ISO 8601."""

    observation_id: str
    systolic_pressure: float | None
    diastolic_pressure: float | None
    anomaly_type: str | None
    timestamp: str


class PatientSummary(Struct):
    """Hold a patient's counts and latest reading."""

    patient_id: str
    #: How many readings count.
    readings: int
    #: How many of them are anomalies, by type.
    anomalies: dict[str, int]
    #: How many readings were implausible.
    implausible: int
    latest: LatestReading | None


class Patients(Struct):
    """Hold the patients of all workers."""

    patients: list[PatientSummary]
    #: Whether there are others behind these, where so many were asked for.
    more: bool
    #: The addresses of workers that did not answer.
    workers_missing: list[str]


class KeptReading(Struct):
    """Hold a reading as it is kept; pressures in mmHg, the timestamp in ISO 8601."""

    observation_id: str
    systolic_pressure: float | None
    diastolic_pressure: float | None
    timestamp: str
    anomaly_type: str | None
    #: The rules of its findings, the gravest first.
    findings: tuple[str, ...]
    #: Whether it counts: not where it was withdrawn, or is implausible.
    counted: bool
    #: What is unusual about it.
    flags: tuple[str, ...]


class Patient(PatientSummary):
    """Hold all that is shown of one patient."""

    #: By what Elasticsearch knows the patient, where ids are pseudonymised.
    pseudonym: str | None
    #: How many readings have a finding, by its rule.
    findings: dict[str, int]
    alerts: list[AlertEvent]
    settings: PatientSettings | None
    averages: list[Average | None]
    days: list[Day]
    latest_readings: list[KeptReading]


class Alerts(Struct):
    """Hold the alerts of all workers' patients that are not resolved, the gravest first."""

    alerts: list[AlertEvent]
    #: How many there are, where only so many were asked for.
    total: int
    workers_missing: list[str]


class Refusals(Struct):
    """Hold how many records were refused by all workers, by reason code."""

    refusals: dict[str, int]
    workers_missing: list[str]


class Liveness(Struct):
    """Say that the process answers, and how many changelog entries are left to recover, and of how many."""

    status: str
    recovering: bool
    entries_to_recover: int
    entries_of_recovery: int


class SinkState(Struct):
    """Say whether Elasticsearch answers, and whether it does not let us write."""

    reachable: bool
    denied: bool


class Readiness(Liveness):
    """Say whether the worker is at work on its partitions, and what is missing."""

    alive: bool
    #: The partitions that this worker has, by topic.
    assigned: dict[str, list[int]]
    sink: SinkState
    #: What has given no sign of itself in time.
    no_sign_of: list[str]
    #: What cannot be done for now, and why.
    hindrances: dict[str, str]


class SessionState(Struct):
    """Say whether a sign-in is needed, and whether this browser has one."""

    token_needed: bool
    signed_in: bool


class Acknowledged(Struct):
    """Confirm that an alert is acknowledged."""

    alert_id: str
    acknowledged_by: str


class FhirResource(Struct):
    """Hold a FHIR R4 resource; http://hl7.org/fhir/R4 describes the rest of it."""

    resourceType: str
