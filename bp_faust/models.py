"""Name the plain data that travels between the parts: readings, refusals, anomalies.

None of it can form a cycle, so the garbage collector need not look at it (``gc=False``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct, field

#: What an alert is about: pressures too high, too low, or missing.
Direction = Literal["high", "low", "missing"]
Status = Literal["open", "escalated", "acknowledged", "resolved"]
MeasurementSetting = Literal["office", "home"]

#: What JSON Schema knows an anomaly's findings by.
_FINDINGS: dict[str, Any] = {"type": "array", "items": {"$ref": "#/components/schemas/Finding"}}


class Reading(Struct, array_like=True, gc=False):
    """Hold one blood-pressure Observation as far as it could be read.

    Pressures are in mmHg, times in seconds since 1970-01-01T00:00:00Z. All comes from the record's resources but
    ``received`` and ``position``, which the intake agent fills in.
    """

    patient_id: str
    #: ``Observation.id``; the intake agent puts ``topic/partition/offset/index`` in its place where there is none.
    observation_id: str | None
    #: ``Observation.status``, a code of http://hl7.org/fhir/ValueSet/observation-status.
    status: str
    systolic: float | None
    diastolic: float | None
    #: When it was measured; None where the Observation does not say.
    effective: float | None
    #: ``meta.versionId``.
    version: str | None = None
    #: ``meta.lastUpdated``.
    last_updated: float | None = None
    #: What is unusual about it, as words of ``bp_faust.fhir.flags``.
    flags: tuple[str, ...] = ()
    #: The Kafka record's timestamp.
    received: float = 0.0
    #: The Kafka record's partition and offset on the ingest topic.
    position: tuple[int, int] = (-1, -1)
    #: ``Patient.birthDate`` as the record has it: a year, a month or a day.
    birth_date: str | None = None

    @property
    def time(self) -> float:
        """Return when it was measured, else when it came in.

        What is done for each reading spells it out, to save the call.
        """
        return self.effective if self.effective is not None else self.received


class Rejection(Struct, frozen=True):
    """Say why a record, or a part of it, is not a blood-pressure reading."""

    #: A code of ``bp_faust.fhir.reasons.Reason``, such as ``not-json``.
    reason: str
    #: Where in the record, as a FHIRPath-like path such as ``observation.component[1].valueQuantity.value``.
    path: str
    #: One sentence for the sender; never holds the record's own content.
    detail: str


class Grade(Struct, array_like=True, frozen=True, gc=False):
    """Hold what an alert would be about: the gravest finding of a direction that may open one."""

    rule: str
    #: The place in ``clinical.policy.SEVERITIES``.
    severity: int
    at_once: bool


class Seen(Struct, array_like=True, frozen=True, gc=False):
    """Hold a reading as far as alerts ask for it."""

    time: float
    identity: str
    high: Grade | None = None
    low: Grade | None = None


class Alert(Struct, array_like=True, frozen=True, gc=False):
    """Hold an alert as it stands."""

    alert_id: str
    direction: Direction
    status: Status
    rule: str
    severity: int
    #: The time of the reading that opened it, in seconds since 1970.
    opened: float
    #: The time of the reading that last changed its status.
    changed: float
    #: The Observation that last changed it.
    changed_by: str


class Track(Struct, array_like=True, frozen=True, gc=False):
    """Hold what the next reading's meaning depends on, for pressures too high or too low."""

    #: The alert that is not resolved.
    alert: Alert | None = None
    #: The last one that is.
    resolved: Alert | None = None
    #: The times of the last readings, each with whether it had a finding.
    window: tuple[tuple[float, bool], ...] = ()
    #: How many readings in a row were without the alert's finding.
    clear: int = 0


class Tracks(Struct, array_like=True, frozen=True, gc=False):
    """Hold both directions' tracks."""

    high: Track = Track()
    low: Track = Track()


class Alerting(Struct, array_like=True, frozen=True, gc=False):
    """Hold a patient's alerts, and the last readings so that a late one finds its place."""

    #: What all readings but the recent ones make.
    base: Tracks = Tracks()
    #: The last readings, in order.
    recent: tuple[Seen, ...] = ()
    #: What all of them make.
    current: Tracks = Tracks()
    #: Time and Observation of the last reading before the recent ones, None where there is none.
    before: tuple[float, str] | None = None
    #: The time of the first reading before the recent ones that changed after they came, in seconds since 1970.
    unsettled_since: float | None = None


class Entry(Struct, array_like=True, gc=False):
    """Hold what is remembered of one reading, so that it is counted once and can be taken back."""

    systolic: float | None
    diastolic: float | None
    #: When it was measured, else when it came in.
    time: float
    #: Orders the versions of one Observation; see ``bp_faust.clinical.state.version_order``.
    order: tuple[float, float, int, float, int, int]
    #: What was found, None where nothing was.
    anomaly_type: str | None
    #: Whether it counts: not where it was withdrawn, or is implausible.
    counted: bool
    #: What is unusual about it, as words of ``bp_faust.fhir.flags``.
    flags: tuple[str, ...] = ()
    #: The rules of its findings, such as ``aha-2017/stage-2``; the gravest first.
    rules: tuple[str, ...] = ()
    #: What it means for alerts, for pressures too high and too low.
    high: Grade | None = None
    low: Grade | None = None


class Latest(Struct, array_like=True, gc=False):
    """Hold a patient's latest reading; pressures in mmHg, time in seconds since 1970."""

    observation_id: str
    systolic: float | None
    diastolic: float | None
    time: float
    anomaly_type: str | None


class Thresholds(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Hold a patient's own limits in mmHg, which take the place of all of a policy's that are not severe."""

    systolic_above: float | None = None
    systolic_below: float | None = None
    diastolic_above: float | None = None
    diastolic_below: float | None = None


class PatientSettings(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Hold what is set for a patient or a cohort; a patient's own goes before the cohort's, None says nothing."""

    #: A policy's id.
    policy: str | None = None
    thresholds: Thresholds | None = None
    #: Where the patient measures.
    setting: MeasurementSetting | None = None
    pregnant: bool | None = None
    #: A year, a month or a day, in place of ``Patient.birthDate``.
    birth_date: str | None = None
    #: The cohort whose settings hold as well; not for a cohort.
    cohort: str | None = None
    #: Until when nobody is to be told of alerts: ISO 8601 with a time zone.
    muted_until: str | None = None
    #: The patient is to measure at least once in so many days.
    measure_every_days: int | None = None


class Acknowledgement(Struct, frozen=True):
    """Hold that somebody knows of an alert."""

    patient_id: str
    alert_id: str
    who: str
    why: str
    #: Seconds since 1970.
    time: float


class PatientState(Struct, array_like=True, gc=False):
    """Hold what is known of one patient."""

    #: How many readings count.
    readings: int = 0
    #: How many of them are anomalies, by type.
    anomalies: dict[str, int] = {}
    latest: Latest | None = None
    #: How many readings were implausible.
    implausible: int = 0
    #: How many of the readings that count have a finding, by its rule.
    findings: dict[str, int] = {}
    alerting: Alerting = Alerting()
    #: Who knows of which alert, by its id.
    acknowledged: dict[str, Acknowledgement] = {}
    #: What was set for the patient.
    settings: PatientSettings | None = None
    #: That readings are missing.
    missing: Alert | None = None
    #: The time of the first reading that is kept and counts, in seconds since 1970.
    oldest: float | None = None


def _no_findings() -> Raw:
    return Raw(b"[]")


class Anomaly(Struct, gc=False):
    """Hold a record of the anomalies topic: the seed's document, and the Observation that it comes from.

    ``anomaly_type`` is null where an anomaly is taken back; the document of that Observation is then to be removed.
    """

    patient_id: str
    observation_id: str
    systolic_pressure: float | None
    diastolic_pressure: float | None
    anomaly_type: str | None
    #: ISO 8601 in UTC: the reading's effective time, else the Kafka record's.
    timestamp: str
    #: What is wrong, by which rules: a JSON array of ``clinical.judgement.Finding``, encoded once for many readings.
    findings: Annotated[Raw, Meta(extra_json_schema=_FINDINGS)] = field(default_factory=_no_findings)


class AlertEvent(Struct, frozen=True):
    """Hold a record of the alerts topic, which is the alert's document too: an alert as it is from now on."""

    alert_id: str
    patient_id: str
    status: Status
    direction: Direction
    severity: str
    #: The rule of the finding, such as ``aha-2017/stage-2``, its title, its policy and where that comes from.
    rule: str
    title: str
    policy: str
    citation: str
    #: ISO 8601 in UTC: when it was opened, and last changed.
    opened: str
    timestamp: str
    #: The Observation that changed it last; empty where none did.
    observation_id: str
    #: Whether the patient's alerts are muted.
    muted: bool
    acknowledged_by: str | None = None
    acknowledged_because: str | None = None
    acknowledged_at: str | None = None
    #: Why it is so where no reading says it: ``withdrawn``, ``no-readings``.
    reason: str | None = None


class Refusal(Struct, frozen=True):
    """Hold that a record was refused: where it came in and why, and nothing of what it holds."""

    topic: str
    partition: int
    offset: int
    #: The codes of the reasons that its dead letter names, each once.
    reasons: list[str]
    #: How many parts of the record were refused: a Bundle may have several.
    rejections: int
    #: ISO 8601 in UTC: when it was refused for the first time.
    timestamp: str
