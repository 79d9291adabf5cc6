"""Work on the patients of one batch: read what is remembered of them, decide, and collect what changed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo

import msgspec

from bp_faust import since_header
from bp_faust.clinical.averages import average, measured
from bp_faust.clinical.following import (
    acknowledge,
    alerted_since,
    check_missing,
    end_missing,
    settle_alerts,
    take_readings,
)
from bp_faust.clinical.judges import Judges, Rules
from bp_faust.clinical.times import timestamp
from bp_faust.clinical.totals import Totals, together
from bp_faust.engine.batches import Effects, Header
from bp_faust.fhir.output import average_observation
from bp_faust.models import AlertEvent, Entry, PatientSettings, PatientState, Reading
from bp_faust.signals import SIGNAL_KEY, Acknowledge, Clock, SetCohort, SetPatient, Settle, Signal
from bp_faust.signals import signals as signal_codec
from bp_faust.tables import (
    TOTALS_KEY,
    alerted_key,
    cohort_key,
    cohort_of,
    cohorts,
    entries,
    expectations,
    expected_key,
    expected_of,
    patient_key,
    patient_states,
    patients,
    patients_of,
    reading_key,
    readings_of,
    totals,
    totals_of,
    unsettled_key,
    unsettled_of,
)
from bp_faust.telemetry import metrics
from bp_faust.topics import alerts, anomalies, fhir_resources, patient_readings

_encode = msgspec.json.Encoder().encode

#: Over how many days averages are told in FHIR: as home measurement is judged by.
_AVERAGE_DAYS = 7

#: How many patients' alerts are settled at a time: some thousands of readings are looked at.
_SETTLED_AT_ONCE = 200

#: A batch of more readings is part of a backlog.
_BUSY_READINGS = 1000

_Message = tuple[bytes, bytes, list[Header]]


class PatientBatch:
    """Hold the states of a batch's patients while it is worked on."""

    def __init__(
        self, partition: int, judges: Judges, retention_seconds: float, averages_zone: tzinfo | None = None
    ) -> None:
        """Work on a partition's patients; averages are told where there is a time zone for their days."""
        self._partition = partition
        self._judges = judges
        self._retention_seconds = retention_seconds
        self._averages_zone = averages_zone
        self._states: dict[str, PatientState] = {}
        self._rules: dict[str, Rules] = {}
        self._cohorts: dict[str, PatientSettings | None] = {}
        self._changed: set[str] = set()
        #: What the states that are here make together, less what they made before.
        self._difference = Totals()
        #: Since when those who are known have alerts, None where they have none.
        self._alerted: dict[str, float | None] = {}
        self._is_busy = False
        self._has_unsettled = False
        self._entries: dict[str, dict[str, Entry | None]] = {}
        self._changes: dict[bytes, bytes | None] = {}
        self._anomalies: list[_Message] = []
        self._types: Counter[str] = Counter()
        self._alerts: list[_Message] = []
        self._averages: list[_Message] = []

    def load(self, patient_ids: Iterable[str]) -> None:
        """Read the states of patients that are not here yet."""
        wanted = [patient_id for patient_id in patient_ids if patient_id not in self._states]
        values = patients.store.get_many(self._partition, [patient_key(patient_id) for patient_id in wanted])
        for patient_id, value in zip(wanted, values, strict=True):
            if value is None:
                self._states[patient_id] = PatientState()
                continue
            state = self._states[patient_id] = patient_states.decode(value)
            self._difference.add(state, -1)
            self._alerted[patient_id] = alerted_since(state)

    def set(self, signals: Iterable[Signal]) -> None:
        """Apply what was set for patients and cohorts, in order."""
        for signal in signals:
            if isinstance(signal, SetPatient):
                self.load([signal.patient_id])
                self._states[signal.patient_id].settings = signal.settings
                self._expect(signal.patient_id, signal.time)
            elif isinstance(signal, SetCohort):
                self._cohorts[signal.cohort] = signal.settings
                value = cohorts.encode(signal.settings) if signal.settings is not None else None
                self._changes[cohort_key(signal.cohort)] = value
                self.load([one for one, state in patients_of(self._partition) if _is_in(state, signal.cohort)])
                members = [one for one, state in self._states.items() if _is_in(state, signal.cohort)]
                for patient_id in members:
                    self._expect(patient_id, signal.time)

    def _expect(self, patient_id: str, time: float) -> None:
        state = self._states[patient_id]
        self._changed.add(patient_id)
        self._rules.pop(patient_id, None)
        expected = self._rules_of(patient_id).settings.measure_every_days is not None
        self._changes[expected_key(patient_id)] = expectations.encode(time) if expected else None
        if not expected:
            self._tell(end_missing(patient_id, state, time, self._rules_of(patient_id), self._judges))

    def take(self, found: Mapping[str, Sequence[Reading]]) -> None:
        """Count readings, by patient."""
        identities = [
            (patient_id, reading.observation_id or "") for patient_id in found for reading in found[patient_id]
        ]
        keys = [reading_key(patient_id, identity) for patient_id, identity in identities]
        self._is_busy = len(identities) > _BUSY_READINGS
        key_of = dict(zip(identities, keys, strict=True))
        known: dict[str, dict[str, Entry | None]] = {patient_id: {} for patient_id in found}
        for (patient_id, identity), value in zip(
            identities, patients.store.get_many(self._partition, keys), strict=True
        ):
            if value is not None:
                known[patient_id][identity] = entries.decode(value)
        for patient_id, readings in found.items():
            was_unsettled = self._states[patient_id].alerting.unsettled_since is not None
            change = take_readings(
                patient_id,
                self._states[patient_id],
                readings,
                known[patient_id],
                lambda patient_id=patient_id: readings_of(self._partition, patient_id),  # type: ignore[misc]
                self._rules_of(patient_id),
                self._judges,
                self._retention_seconds,
            )
            if change is None:
                continue
            self._changed.add(patient_id)
            self._entries[patient_id] = change.entries
            for identity, entry in change.entries.items():
                key = key_of.get((patient_id, identity)) or reading_key(patient_id, identity)
                self._changes[key] = entries.encode(entry) if entry is not None else None
            if change.anomalies:
                whose = patient_id.encode()
                self._types.update([anomaly.anomaly_type or "withdrawn" for anomaly in change.anomalies])
                self._anomalies += [(whose, _encode(anomaly), []) for anomaly in change.anomalies]
            self._tell(change.events)
            unsettled = self._states[patient_id].alerting.unsettled_since
            if unsettled is not None and not was_unsettled:
                self._changes[unsettled_key(patient_id)] = expectations.encode(unsettled)
            if self._averages_zone is not None:
                self._tell_average(patient_id, self._averages_zone)

    def _tell_average(self, patient_id: str, zone: tzinfo) -> None:
        entries = self._readings_of(patient_id)
        mean = average(measured(entries), _AVERAGE_DAYS, zone)
        if mean is not None:
            # The same readings give the same resource, whenever they are worked on.
            issued = timestamp(max(entry.order[3] for _, entry in entries))
            resource = average_observation(patient_id, mean, issued, zone)
            self._averages.append((patient_id.encode(), _encode(resource), []))

    def hear(self, signals: Iterable[Signal]) -> None:
        """Note who knows of which alert, and find out whose readings are missing."""
        for signal in signals:
            if isinstance(signal, Acknowledge):
                patient_id = signal.acknowledgement.patient_id
                self.load([patient_id])
                state, rules = self._states[patient_id], self._rules_of(patient_id)
                self._note(patient_id, acknowledge(patient_id, state, signal.acknowledgement, rules, self._judges))
            elif isinstance(signal, Settle):
                self._settle()
            elif isinstance(signal, Clock):
                self._settle()
                expected = dict(expected_of(self._partition))
                self.load(expected)
                for patient_id, since in expected.items():
                    state, rules = self._states[patient_id], self._rules_of(patient_id)
                    self._note(patient_id, check_missing(patient_id, state, signal.time, since, rules, self._judges))

    def _settle(self) -> None:
        """Settle alerts of some patients, and of the others in a later batch: nothing else is done meanwhile."""
        if self._is_busy:
            return  # in a backlog they would soon be unsettled again
        noted = list(itertools.islice(unsettled_of(self._partition), _SETTLED_AT_ONCE))
        self._has_unsettled = len(noted) == _SETTLED_AT_ONCE
        self.load(noted)
        for patient_id in noted:
            state, rules = self._states[patient_id], self._rules_of(patient_id)
            self._changes[unsettled_key(patient_id)] = None
            self._changed.add(patient_id)
            self._tell(settle_alerts(patient_id, state, self._readings_of(patient_id), rules, self._judges))

    def _readings_of(self, patient_id: str) -> list[tuple[str, Entry]]:
        """Return a patient's readings as they are after this batch."""
        stored: dict[str, Entry | None] = dict(readings_of(self._partition, patient_id))
        stored.update(self._entries.get(patient_id, {}))
        return [(identity, entry) for identity, entry in stored.items() if entry is not None]

    def _note(self, patient_id: str, events: Sequence[AlertEvent]) -> None:
        if events:
            self._changed.add(patient_id)
            self._tell(events)

    def _rules_of(self, patient_id: str) -> Rules:
        rules = self._rules.get(patient_id)
        if rules is None:
            settings = self._states[patient_id].settings
            cohort = self._cohort(settings.cohort) if settings is not None and settings.cohort is not None else None
            rules = self._rules[patient_id] = self._judges.rules(settings, cohort)
        return rules

    def _cohort(self, name: str) -> PatientSettings | None:
        if name not in self._cohorts:
            self._cohorts[name] = cohort_of(self._partition, name)
        return self._cohorts[name]

    def _tell(self, events: Sequence[AlertEvent]) -> None:
        for event in events:
            metrics.ALERTS.labels(event.status).inc()
        self._alerts += [(event.patient_id.encode(), _encode(event), []) for event in events]

    def add_to(self, effects: Effects, since: float | None = None) -> None:
        """Add what changed to the batch's effects; ``since`` is when its oldest reading came in, in Unix seconds."""
        for patient_id in self._changed:
            effects.changes[patient_key(patient_id)] = patient_states.encode(self._states[patient_id])
        effects.changes.update(self._changes)
        self._add_totals(effects)
        for anomaly_type, count in self._types.items():
            metrics.FINDINGS.labels(anomaly_type).inc(count)
        if self._anomalies:
            effects.send_all(anomalies.get_topic_name(), self._partition, since_header.put(self._anomalies, since))
        if self._has_unsettled:
            effects.send(
                patient_readings.get_topic_name(), self._partition, signal_codec.encode(Settle()), key=SIGNAL_KEY
            )
        if self._averages:
            effects.send_all(fhir_resources.get_topic_name(), self._partition, self._averages)
        if self._alerts:
            effects.send_all(alerts.get_topic_name(), self._partition, since_header.put(self._alerts, since))

    def _add_totals(self, effects: Effects) -> None:
        """Keep what the partition's patients make together, and who has alerts."""
        before = totals_of(self._partition)
        if before is None:
            before = Totals()
            for patient_id, state in patients_of(self._partition):
                before.add(state)
                self._note_alerted(effects, patient_id, None, alerted_since(state))
        for patient_id, state in self._states.items():
            if patient_id in self._alerted or patient_id in self._changed:
                self._difference.add(state)
                self._note_alerted(effects, patient_id, self._alerted.get(patient_id), alerted_since(state))
        now = together([before, self._difference])
        if now != before:
            effects.changes[TOTALS_KEY] = totals.encode(now)

    def _note_alerted(self, effects: Effects, patient_id: str, was: float | None, now: float | None) -> None:
        if now != was:
            effects.changes[alerted_key(patient_id)] = expectations.encode(now) if now is not None else None


def _is_in(state: PatientState, cohort: str) -> bool:
    return state.settings is not None and state.settings.cohort == cohort
