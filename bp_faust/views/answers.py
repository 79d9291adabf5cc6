"""Name what the views answer: plain data, of which the web API's description is made."""

from __future__ import annotations

from msgspec import Struct

from bp_faust.clinical.averages import Average, Day
from bp_faust.clinical.bands import Band
from bp_faust.models import AlertEvent, PatientSettings, Rejection


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


class Rule(Struct):
    """Say what a rule is called, of which policy it is, and where it comes from."""

    title: str
    policy: str
    citation: str


class JudgedBy(Struct):
    """Say how a patient's readings are judged at the time of the latest one."""

    #: The policy's id, what it is called, and where it comes from.
    policy: str
    title: str
    citation: str
    #: What is set for the patient, for the cohort, and for all, together.
    settings: PatientSettings
    #: In completed years; null where no birth date is set, when bands are those of an adult.
    age: int | None
    #: From the lowest to the highest pressure.
    systolic: list[Band]
    diastolic: list[Band]


class Patient(PatientSummary):
    """Hold all that is shown of one patient."""

    #: By what Elasticsearch knows the patient, where ids are pseudonymised.
    pseudonym: str | None
    #: How many readings have a finding, by its rule.
    findings: dict[str, int]
    alerts: list[AlertEvent]
    settings: PatientSettings | None
    #: How readings are judged now.
    judged_by: JudgedBy
    #: What is known of the rules of findings, by their names.
    rules: dict[str, Rule]
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


class Meaning(Struct):
    """Say what a reason code means, and what the sender should do."""

    meaning: str
    remedy: str


class Reasons(Struct):
    """Hold what each reason code means."""

    reasons: dict[str, Meaning]


class Replays(Struct):
    """Hold when records were last sent again, in milliseconds since 1970, by topic/partition/offset."""

    replays: dict[str, int]
    workers_missing: list[str]


class Place(Struct):
    """Name the place of a record on the dead-letter topic."""

    partition: int
    offset: int


class RefusedRecord(Struct):
    """Hold where a refused record came from, when, and why it was refused."""

    dead_letter: Place
    #: Where it first came in.
    topic: str
    partition: int
    offset: int
    #: When that was, and when it was refused: ISO 8601.
    received: str
    refused: str
    #: The first of them.
    reasons: list[Rejection]
    #: How many there are.
    rejections: int
    bytes: int
    #: When it was last sent again since it was refused: ISO 8601.
    replayed: str | None


class RefusedRecords(Struct):
    """Hold the latest refused records."""

    records: list[RefusedRecord]
    #: With what the ones before them are asked for; null where there are none.
    before: str | None
    workers_missing: list[str]


class WholeRefusedRecord(RefusedRecord):
    """Hold a refused record with what was sent; what is no text is in base64."""

    key: str | dict[str, str] | None
    headers: list[tuple[str, str | dict[str, str] | None]]
    #: The value as text, unzipped; its beginning, where it is very long.
    text: str
    #: Whether it can be sent again in another wording.
    mendable: bool
    #: Why it would be refused by the settings in force now; null where that is not known before it is sent.
    refused_now: list[Rejection] | None
    workers_missing: list[str]


class Replayed(Struct):
    """Confirm that a record was sent again."""

    #: Where it first came in, and its place on the dead-letter topic: topic/partition/offset.
    at: str
    dead_letter: str
    mended: bool
    bytes: int
    #: Why it will be refused again by the settings in force; null where that is not known.
    refused_now: list[Rejection] | None


class StillRefused(Error):
    """Say why a mended record would be refused again; nothing was sent."""

    refused_now: list[Rejection]


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
