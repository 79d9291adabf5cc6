"""Answer for the patients."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from faust.web import Request, Response, View
from faust.web.exceptions import WebError

from bp_faust.app import app, settings
from bp_faust.clinical.averages import average, days, measured
from bp_faust.clinical.bands import bands
from bp_faust.clinical.following import describe_alert, standing_alerts
from bp_faust.clinical.judges import Rules
from bp_faust.clinical.policy import SEVERITIES
from bp_faust.clinical.state import timestamp
from bp_faust.engine.partitioner import partition_of
from bp_faust.models import AlertEvent, Entry, PatientState
from bp_faust.pseudonyms import patient_pseudonym
from bp_faust.settings.reading import read_judges
from bp_faust.tables import (
    alerted_of,
    cohort_of,
    local_refusals,
    patient_key,
    patient_states,
    patients,
    patients_after,
    readings_of,
)
from bp_faust.views.answers import (
    Alerts,
    JudgedBy,
    KeptReading,
    LatestReading,
    Patient,
    Patients,
    PatientSummary,
    Refusals,
    Rule,
)
from bp_faust.views.operations import operation
from bp_faust.views.peers import LOCAL, ask_peers

#: Over how many days averages are shown.
_AVERAGES = (7, 28)

_ZONE = ZoneInfo(settings.default_time_zone)
_judges = read_judges(settings)

#: How many of a patient's readings are shown, the latest first.
_READINGS_SHOWN = 100


def patient_summary(patient_id: str, state: PatientState) -> PatientSummary:
    """Return what the list of patients says of one of them."""
    return PatientSummary(patient_id, state.readings, state.anomalies, state.implausible, _latest(state))


def _latest(state: PatientState) -> LatestReading | None:
    latest = state.latest
    if latest is None:
        return None
    return LatestReading(
        latest.observation_id, latest.systolic, latest.diastolic, latest.anomaly_type, timestamp(latest.time)
    )


def _pseudonym(patient_id: str) -> str | None:
    key = settings.secret("pseudonym_key")
    return patient_pseudonym(key, patient_id) if key is not None else None


def _reading(observation_id: str, entry: Entry) -> KeptReading:
    return KeptReading(
        observation_id,
        entry.systolic,
        entry.diastolic,
        timestamp(entry.time),
        entry.anomaly_type,
        entry.rules,
        entry.counted,
        entry.flags,
    )


@app.page("/patients/", name="patients")
class PatientList(View):
    """List all patients with their counts."""

    @operation(
        Patients,
        query={
            **LOCAL,
            "limit": "So many at most; without it, all.",
            "after": "Only those behind this patient, to go on where the last answer ended.",
            "search": "Only those whose ids hold this text.",
            "pseudonym": "Only the patient whom Elasticsearch knows by it.",
        },
    )
    async def get(self, request: Request) -> Response:
        """Return this worker's patients and, unless ``?local`` is given, those of all other workers, by id."""
        limit = _limit(request)
        found = [
            patient_summary(patient_id, state)
            for _, patient_id, state in _first(
                limit, (_asked_for(request, partition) for partition in patients.store.active_partitions)
            )
        ]
        answers, missing = await ask_peers(request, "/patients/", Patients)
        for answer in answers:
            found += answer.patients
        found.sort(key=lambda patient: patient_key(patient.patient_id))
        more = limit is not None and (len(found) > limit or any(answer.more for answer in answers))
        return self.json(Patients(found[:limit], more, missing))


def _limit(request: Request) -> int | None:
    given = request.query.get("limit")
    if given is None:
        return None
    try:
        limit = int(given)
    except ValueError:
        limit = 0
    if limit < 1:
        raise WebError("Give a number above 0 as ?limit=.", code=422)
    return limit


def _asked_for(request: Request, partition: int) -> Iterator[tuple[bytes, str, PatientState]]:
    after, search = request.query.get("after", ""), request.query.get("search", "")
    pseudonym = request.query.get("pseudonym")
    for found in patients_after(partition, after, search):
        if pseudonym is None or _pseudonym(found[1]) == pseudonym:
            yield found


def _first(
    limit: int | None, partitions: Iterable[Iterator[tuple[bytes, str, PatientState]]]
) -> Iterator[tuple[bytes, str, PatientState]]:
    """Return the first patients of some partitions together, and one more that tells whether there are others."""
    merged = heapq.merge(*partitions, key=lambda patient: patient[0])
    return itertools.islice(merged, limit + 1 if limit is not None else None)


@app.page("/refusals/", name="refusals")
class RefusalCounts(View):
    """Tell how many records were refused, by reason."""

    @operation(Refusals, query=LOCAL)
    async def get(self, request: Request) -> Response:
        """Return the counts of this worker and, unless ``?local`` is given, of all other workers together."""
        found = Counter(local_refusals())
        answers, missing = await ask_peers(request, "/refusals/", Refusals)
        for answer in answers:
            found.update(answer.refusals)
        return self.json(Refusals(dict(found.most_common()), missing))


@app.page("/patients/{patient_id}/", name="patient")
class PatientDetail(View):
    """Tell of one patient."""

    @operation(Patient)
    @app.table_route(table=patients, match_info="patient_id")
    async def get(self, request: Request, patient_id: str) -> Response:
        """Return a patient's counts and latest readings, from whichever worker has the patient."""
        partition = partition_of(patient_id, app.conf.topic_partitions)
        store = patients.store
        if not store.is_active(partition):
            return self.error(503, "The patient's partition is being taken over; try again in a moment.")
        value = store.get_many(partition, [patient_key(patient_id)])[0]
        if value is None:
            return self.error(404, "No reading of this patient has been seen.")
        state = patient_states.decode(value)
        found = list(readings_of(partition, patient_id))
        taken = measured(found)
        found.sort(key=lambda pair: pair[1].time, reverse=True)
        return self.json(
            Patient(
                patient_id,
                state.readings,
                state.anomalies,
                state.implausible,
                _latest(state),
                _pseudonym(patient_id),
                state.findings,
                _standing(partition, patient_id, state),
                state.settings,
                _judged_by(_rules(partition, state), state.latest.time if state.latest is not None else time.time()),
                {rule: Rule(*_judges.finding(rule)) for rule in state.findings},
                [average(taken, number, _ZONE) for number in _AVERAGES],
                days(taken, _ZONE),
                [_reading(identity, entry) for identity, entry in found[:_READINGS_SHOWN]],
            )
        )


@app.page("/alerts/", name="alerts")
class AlertList(View):
    """List the alerts that are not resolved."""

    @operation(
        Alerts,
        query={
            **LOCAL,
            "severity": f"Only those: {', '.join(SEVERITIES[1:])}.",
            "acknowledged": "Only those that somebody has acknowledged (yes), or nobody has (no).",
            "search": "Only those whose patient, title, rule or policy hold this text.",
            "limit": "So many at most; without it, all.",
        },
    )
    async def get(self, request: Request) -> Response:
        """Return the alerts of this worker's patients and, unless ``?local`` is given, of all others, gravest first."""
        limit = _limit(request)
        severity = _one_of(request, "severity", SEVERITIES[1:])
        acknowledged = _one_of(request, "acknowledged", ("yes", "no"))
        found = [
            event
            for partition in patients.store.active_partitions
            for patient_id, state in alerted_of(partition)
            for event in _standing(partition, patient_id, state)
            if severity in (None, event.severity)
            and acknowledged in (None, "yes" if event.status == "acknowledged" else "no")
            and _holds(event, request.query.get("search", ""))
        ]
        total = len(found)
        answers, missing = await ask_peers(request, "/alerts/", Alerts)
        for answer in answers:
            found += answer.alerts
            total += answer.total
        found.sort(key=lambda event: event.timestamp, reverse=True)
        found.sort(key=lambda event: SEVERITIES.index(event.severity), reverse=True)
        return self.json(Alerts(found[:limit], total, missing))


def _one_of(request: Request, name: str, values: Sequence[str]) -> str | None:
    given = request.query.get(name)
    if given is not None and given not in values:
        raise WebError(f"Give one of {', '.join(values)} as ?{name}=.", code=422)
    return given


def _holds(event: AlertEvent, text: str) -> bool:
    words = f"{event.patient_id}\n{event.title}\n{event.rule}\n{event.policy}"
    return text.lower() in words.lower()


def _standing(partition: int, patient_id: str, state: PatientState) -> list[AlertEvent]:
    alerts = standing_alerts(state)
    if not alerts:
        return []
    rules = _rules(partition, state)
    return [describe_alert(patient_id, state, alert, rules, _judges) for alert in alerts]


def _rules(partition: int, state: PatientState) -> Rules:
    settings = state.settings
    cohort = cohort_of(partition, settings.cohort) if settings is not None and settings.cohort is not None else None
    return _judges.rules(settings, cohort)


def _judged_by(rules: Rules, when: float) -> JudgedBy:
    policy, circumstances = rules.judge.policy, rules.circumstances(when)
    return JudgedBy(
        policy.id,
        policy.title,
        policy.citation,
        rules.settings,
        circumstances.age,
        bands(rules.judge, "systolic", circumstances),
        bands(rules.judge, "diastolic", circumstances),
    )
