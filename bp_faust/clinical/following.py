"""Follow a patient from one batch of readings to the next: counts, anomalies, alerts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from bp_faust.clinical.alerts import Transition, follow, id_of_alert, settle
from bp_faust.clinical.judges import Judges, Rules
from bp_faust.clinical.policy import SEVERITIES
from bp_faust.clinical.state import WITHDRAWN, seen, step, uncount
from bp_faust.clinical.times import timestamp
from bp_faust.models import (
    Acknowledgement,
    Alert,
    AlertEvent,
    Anomaly,
    Entry,
    PatientSettings,
    PatientState,
    Reading,
    Seen,
)

_DAY = 86_400.0

#: The rule of an alert that says that readings are missing.
NO_READINGS = "missing/no-readings"


@dataclass
class Change:
    """Hold what some readings changed: entries by Observation (None where it is forgotten), and what to tell."""

    entries: dict[str, Entry | None] = field(default_factory=dict)
    anomalies: list[Anomaly] = field(default_factory=list)
    events: list[AlertEvent] = field(default_factory=list)


def take_readings(
    patient_id: str,
    state: PatientState,
    readings: Sequence[Reading],
    known: Mapping[str, Entry | None],
    stored: Callable[[], Iterable[tuple[str, Entry]]],
    rules: Rules,
    judges: Judges,
    retention_seconds: float,
) -> Change | None:
    """Count a patient's readings: change ``state`` (the caller's own copy); return None where nothing is new.

    ``known`` has the entries of these readings' Observations, ``stored`` yields all of the patient's. A reading that
    was made more than the retention before the patient's latest one is judged and told, but neither counted nor kept.
    """
    change = Change()
    before: dict[str, Seen | None] = {}

    def entries(_: str) -> Iterable[tuple[str, Entry]]:
        for identity, entry in stored():
            if identity not in change.entries:
                yield identity, entry
        for identity, changed in change.entries.items():
            if changed is not None:
                yield identity, changed

    for reading in readings:
        identity = reading.observation_id or ""
        now_known = change.entries[identity] if identity in change.entries else known.get(identity)
        if now_known is None and _is_expired(state, reading, retention_seconds):
            aside = step(PatientState(), None, reading, rules.of, _no_entries)
            if aside is not None and aside[1] is not None:
                change.anomalies.append(aside[1])
            elif reading.status in WITHDRAWN:
                # It may have been told before it was forgotten.
                taken_back = Anomaly(patient_id, identity, None, None, None, timestamp(reading.time))
                change.anomalies.append(taken_back)
            continue
        stepped = step(state, now_known, reading, rules.of, entries)
        if stepped is None:
            continue
        before.setdefault(identity, seen(identity, now_known))
        change.entries[identity], anomaly = stepped
        if anomaly is not None:
            change.anomalies.append(anomaly)
    if not change.entries:
        return change if change.anomalies else None
    _forget_expired(state, change, entries, patient_id, retention_seconds)
    _follow_alerts(patient_id, state, change, before, rules, judges)
    latest = state.latest
    if state.missing is not None and latest is not None and _is_new(latest.observation_id, before):
        change.events += end_missing(patient_id, state, latest.time, rules, judges)
    return change


def _is_new(identity: str, before: Mapping[str, Seen | None]) -> bool:
    """Tell whether a reading came just now, rather than that it was corrected, or a later one taken back."""
    return identity in before and before[identity] is None


def _no_entries(_: str) -> Iterable[tuple[str, Entry]]:
    return ()


def _is_expired(state: PatientState, reading: Reading, retention_seconds: float) -> bool:
    time = reading.effective if reading.effective is not None else reading.received
    return state.latest is not None and time < state.latest.time - retention_seconds


def _forget_expired(
    state: PatientState,
    change: Change,
    entries: Callable[[str], Iterable[tuple[str, Entry]]],
    patient_id: str,
    retention_seconds: float,
) -> None:
    if state.latest is None or state.oldest is None or state.oldest >= state.latest.time - retention_seconds:
        return
    since = state.latest.time - retention_seconds
    kept = []
    for identity, entry in list(entries(patient_id)):
        if entry.time < since:
            uncount(state, entry)
            change.entries[identity] = None
        elif entry.counted:
            kept.append(entry.time)
    state.oldest = min(kept, default=None)


def _follow_alerts(
    patient_id: str,
    state: PatientState,
    change: Change,
    before: Mapping[str, Seen | None],
    rules: Rules,
    judges: Judges,
) -> None:
    changes = [(was, seen(identity, change.entries[identity])) for identity, was in before.items()]
    state.alerting, transitions = follow(
        state.alerting, patient_id, changes, rules.judge.policy.alerts, _acknowledged(state)
    )
    if transitions:
        change.events += [_event(patient_id, state, transition, rules, judges) for transition in transitions]
        _forget_acknowledgements(state)


def settle_alerts(
    patient_id: str, state: PatientState, entries: Iterable[tuple[str, Entry]], rules: Rules, judges: Judges
) -> list[AlertEvent]:
    """Make the alerts what all of the patient's readings make them, and return what to tell."""
    all_seen = [now for identity, entry in entries if (now := seen(identity, entry)) is not None]
    state.alerting, transitions = settle(
        state.alerting, patient_id, all_seen, rules.judge.policy.alerts, _acknowledged(state)
    )
    events = [_event(patient_id, state, transition, rules, judges) for transition in transitions]
    _forget_acknowledgements(state)
    return events


def _acknowledged(state: PatientState) -> dict[str, float]:
    return {alert_id: one.time for alert_id, one in state.acknowledged.items()}


def acknowledge(
    patient_id: str, state: PatientState, acknowledgement: Acknowledgement, rules: Rules, judges: Judges
) -> list[AlertEvent]:
    """Note that somebody knows of an alert; return what to tell, which is nothing of an alert that is over."""
    alert = next((alert for alert in standing_alerts(state) if alert.alert_id == acknowledgement.alert_id), None)
    if alert is None or (alert.alert_id in state.acknowledged and status(state, alert) == "acknowledged"):
        return []
    state.acknowledged = {**state.acknowledged, alert.alert_id: acknowledgement}
    return [_event(patient_id, state, Transition(alert), rules, judges)]


def check_missing(
    patient_id: str, state: PatientState, now: float, since: float, rules: Rules, judges: Judges
) -> list[AlertEvent]:
    """Open an alert where a patient who should measure has not since then; times are in seconds since 1970."""
    days = rules.settings.measure_every_days
    last = max(since, state.latest.time if state.latest is not None else since)
    if days is None or state.missing is not None or now < last + days * _DAY:
        return []
    identity = state.latest.observation_id if state.latest is not None else ""
    alert_id = id_of_alert(patient_id, "missing", str(int(last)))
    state.missing = Alert(alert_id, "missing", "open", NO_READINGS, SEVERITIES.index("mild"), now, now, identity)
    return [_event(patient_id, state, Transition(state.missing, "no-readings"), rules, judges)]


def end_missing(patient_id: str, state: PatientState, time: float, rules: Rules, judges: Judges) -> list[AlertEvent]:
    """Resolve the alert that readings are missing, if there is one, at a time in seconds since 1970."""
    if state.missing is None:
        return []
    identity = state.latest.observation_id if state.latest is not None else ""
    resolved = replace(state.missing, status="resolved", changed=time, changed_by=identity)
    state.missing = None
    events = [_event(patient_id, state, Transition(resolved), rules, judges)]
    _forget_acknowledgements(state)
    return events


def standing_alerts(state: PatientState) -> list[Alert]:
    """Return the alerts that are not resolved."""
    current = state.alerting.current
    return [alert for alert in (current.high.alert, current.low.alert, state.missing) if alert is not None]


def has_alerts(state: PatientState) -> bool:
    """Tell whether there are alerts that are not resolved."""
    current = state.alerting.current
    return current.high.alert is not None or current.low.alert is not None or state.missing is not None


def alerted_since(state: PatientState) -> float | None:
    """Return when the first of the alerts that are not resolved was opened, in seconds since 1970; None without any."""
    return min(alert.opened for alert in standing_alerts(state)) if has_alerts(state) else None


def status(state: PatientState, alert: Alert) -> str:
    """Return an alert's status with what people did about it: what they knew before it grew worse counts no more."""
    known = state.acknowledged.get(alert.alert_id)
    if alert.status == "resolved" or known is None or known.time < alert.changed:
        return alert.status
    return "acknowledged"


def _forget_acknowledgements(state: PatientState) -> None:
    if state.acknowledged:
        standing = {alert.alert_id for alert in standing_alerts(state)}
        state.acknowledged = {key: one for key, one in state.acknowledged.items() if key in standing}


def is_muted(settings: PatientSettings, time: float) -> bool:
    """Tell whether nobody is to be told of a patient's alerts at a time, in seconds since 1970."""
    until = settings.muted_until
    return until is not None and time < datetime.fromisoformat(until.replace("Z", "+00:00")).timestamp()


def describe_alert(
    patient_id: str, state: PatientState, alert: Alert, rules: Rules, judges: Judges, reason: str | None = None
) -> AlertEvent:
    """Return an alert as the world is told of it."""
    if alert.rule == NO_READINGS:
        title, policy, citation = "No readings", "", _SET_FOR_PATIENT
    else:
        title, policy, citation = judges.finding(alert.rule)
    known = state.acknowledged.get(alert.alert_id)
    return AlertEvent(
        alert.alert_id,
        patient_id,
        status(state, alert),  # type: ignore[arg-type]
        alert.direction,
        SEVERITIES[alert.severity],
        alert.rule,
        title,
        policy,
        citation,
        timestamp(alert.opened),
        timestamp(alert.changed),
        alert.changed_by,
        is_muted(rules.settings, alert.changed),
        known.who if known is not None else None,
        known.why if known is not None else None,
        timestamp(known.time) if known is not None else None,
        reason,
    )


_SET_FOR_PATIENT = "Set for this patient."


def _event(patient_id: str, state: PatientState, transition: Transition, rules: Rules, judges: Judges) -> AlertEvent:
    return describe_alert(patient_id, state, transition.alert, rules, judges, transition.reason)
