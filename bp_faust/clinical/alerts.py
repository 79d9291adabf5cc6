"""Follow a patient's alerts: what a set of readings makes of them, in whatever order the readings came.

An alert is a fold over the patient's readings in the order of their own times. A reading that comes late is put where
it belongs and the fold is made again from there, at once or when alerts are settled: the same readings always end in
the same alerts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from bp_faust.clinical.policy import AlertRules
from bp_faust.models import Alert, Alerting, Direction, Grade, Seen, Track, Tracks

#: How many of the last readings are kept with a patient: what changes among them changes alerts at once.
RECENT = 8

_HOUR = 3600.0


class Transition(Struct, frozen=True, gc=False):
    """Hold that an alert is now something else, and why where the readings do not say it."""

    alert: Alert
    reason: str | None = None


#: Since when, in seconds since 1970, an alert is acknowledged.
Acknowledged = Mapping[str, float]


def follow(
    alerting: Alerting,
    patient_id: str,
    changes: Iterable[tuple[Seen | None, Seen | None]],
    rules: AlertRules,
    acknowledged: Acknowledged,
) -> tuple[Alerting, list[Transition]]:
    """Return a patient's alerts after some readings changed, and what that changed.

    ``changes`` holds for each changed Observation what was seen of it before and what is now. What lies before the
    recent readings is left to ``settle``: to look at all of a patient's readings each time would take too long.
    """
    differing = [(was, now) for was, now in changes if was != now]
    new = [now for _, now in differing if now is not None]
    new.sort(key=_place)
    gone = [was for was, _ in differing if was is not None]
    last = _place(alerting.recent[-1]) if alerting.recent else alerting.before
    if not gone and (not new or last is None or _place(new[0]) > last):
        transitions: list[Transition] = []
        if len(new) > RECENT:
            return _folded(alerting.current, alerting, new, patient_id, rules, acknowledged, transitions), transitions
        current = _fold(alerting.current, patient_id, new, rules, acknowledged, transitions)
        seen = (*alerting.recent, *new)
        past = seen[:-RECENT]
        base = _fold(alerting.base, patient_id, past, rules, acknowledged, []) if past else alerting.base
        before = _place(past[-1]) if past else alerting.before
        return Alerting(base, seen[-RECENT:], current, before, alerting.unsettled_since), transitions
    recent, before = alerting.recent, alerting.before
    if before is not None:
        come = bisect_right(new, before, key=_place)
        late = [seen.time for seen in gone if _place(seen) <= before] + [seen.time for seen in new[:come]]
        if late:
            known = alerting.unsettled_since
            alerting = replace(alerting, unsettled_since=min(late if known is None else [*late, known]))
            new = new[come:]
    after = [*recent, *new]
    if gone:
        taken_back = {was.identity for was in gone}
        after = [seen for seen in recent if seen.identity not in taken_back] + new
    after.sort(key=_place)
    told: list[Transition] = []
    _fold(alerting.base, patient_id, recent, rules, acknowledged, told)
    to_tell: list[Transition] = []
    alerting = _folded(alerting.base, alerting, after, patient_id, rules, acknowledged, to_tell)
    return alerting, _differences(told, to_tell, alerting.current)


def settle(
    alerting: Alerting, patient_id: str, all_seen: Iterable[Seen], rules: AlertRules, acknowledged: Acknowledged
) -> tuple[Alerting, list[Transition]]:
    """Return a patient's alerts as all readings make them, and what that changed since the first one that came late."""
    since = alerting.unsettled_since
    if since is None:
        return alerting, []
    seen = sorted(all_seen, key=_place)
    transitions: list[Transition] = []
    settled = _folded(Tracks(), Alerting(), seen, patient_id, rules, acknowledged, transitions)
    current = settled.current
    known = _last_alerts(alerting.current)
    of_alerts: dict[str, list[Transition]] = {}
    for transition in transitions:
        of_alerts.setdefault(transition.alert.alert_id, []).append(transition)
    found: list[Transition] = []
    now_known = _last_alerts(current)
    for alert_id, those in of_alerts.items():
        recent = [transition for transition in those if transition.alert.changed >= since]
        is_told = alert_id in known and known[alert_id] == now_known.get(alert_id, those[-1].alert)
        if not is_told and (recent or alert_id in known or alert_id in now_known):
            found += recent or those[-1:]
    for alert_id, alert in known.items():
        if alert_id not in of_alerts and alert.status != "resolved":
            found.append(Transition(replace(alert, status="resolved"), "withdrawn"))
    return settled, found


def _last_alerts(tracks: Tracks) -> dict[str, Alert]:
    both = (tracks.high, tracks.low)
    return {alert.alert_id: alert for track in both for alert in (track.resolved, track.alert) if alert is not None}


_place = attrgetter("time", "identity")


def _folded(
    tracks: Tracks,
    alerting: Alerting,
    seen: Sequence[Seen],
    patient_id: str,
    rules: AlertRules,
    acknowledged: Acknowledged,
    transitions: list[Transition],
) -> Alerting:
    """Return what the tracks become by these readings, the last of which are kept apart."""
    past = seen[:-RECENT]
    base = _fold(tracks, patient_id, past, rules, acknowledged, transitions)
    recent = seen[-RECENT:]
    current = _fold(base, patient_id, recent, rules, acknowledged, transitions)
    before = _place(past[-1]) if past else alerting.before
    return Alerting(base, tuple(recent), current, before, alerting.unsettled_since)


def _fold(
    tracks: Tracks,
    patient_id: str,
    seen: Iterable[Seen],
    rules: AlertRules,
    acknowledged: Acknowledged,
    transitions: list[Transition],
) -> Tracks:
    high, low = tracks.high, tracks.low
    for one in seen:
        if one.high is not None or high.alert is not None or high.window:
            high = step(high, "high", one.high, patient_id, one.time, one.identity, rules, acknowledged, transitions)
        if one.low is not None or low.alert is not None or low.window:
            low = step(low, "low", one.low, patient_id, one.time, one.identity, rules, acknowledged, transitions)
    return tracks if high is tracks.high and low is tracks.low else Tracks(high, low)


def step(
    track: Track,
    direction: Direction,
    grade: Grade | None,
    patient_id: str,
    time: float,
    identity: str,
    rules: AlertRules,
    acknowledged: Acknowledged,
    transitions: list[Transition],
) -> Track:
    """Return what one more reading, later than all before it, makes of a track; add what changed to the transitions."""
    alert = track.alert
    if alert is None:
        return _step_without_alert(track, direction, grade, patient_id, time, identity, rules, transitions)
    if grade is None:
        if track.clear + 1 < rules.resolve_after:
            return Track(alert, track.resolved, (), track.clear + 1)
        alert = replace(alert, status="resolved", changed=time, changed_by=identity)
        transitions.append(Transition(alert))
        return Track(None, alert)
    graver = grade.severity > alert.severity
    if graver or (alert.status == "open" and _is_overdue(alert, time, rules, acknowledged)):
        alert = replace(
            alert,
            status="escalated",
            rule=grade.rule if graver else alert.rule,
            severity=max(grade.severity, alert.severity),
            changed=time,
            changed_by=identity,
        )
        transitions.append(Transition(alert))
        return Track(alert, track.resolved)
    return Track(alert, track.resolved) if track.clear else track


def _step_without_alert(
    track: Track,
    direction: Direction,
    grade: Grade | None,
    patient_id: str,
    time: float,
    identity: str,
    rules: AlertRules,
    transitions: list[Transition],
) -> Track:
    # Readings without a finding count where they stand between readings with one, and nowhere else.
    window = (*track.window, (time, grade is not None))[-rules.of :]
    while window and not window[0][1]:
        window = window[1:]
    last = track.resolved
    if grade is None:
        return Track(None, last, window)
    cools_down = last is not None and last.rule == grade.rule and time < last.changed + rules.cooldown_hours * _HOUR
    if not grade.at_once and (cools_down or not _is_confirmed(window, rules)):
        return Track(None, last, window)
    if last is not None and cools_down:
        alert = replace(last, status="open", changed=time, changed_by=identity)
    else:
        alert = Alert(
            id_of_alert(patient_id, direction, identity),
            direction,
            "open",
            grade.rule,
            grade.severity,
            time,
            time,
            identity,
        )
    transitions.append(Transition(alert))
    return Track(alert, last)


def _is_confirmed(window: Sequence[tuple[float, bool]], rules: AlertRules) -> bool:
    if len(window) < rules.readings:
        return False
    since = window[-1][0] - rules.within_hours * _HOUR
    return sum(found for time, found in window if time >= since) >= rules.readings


def _is_overdue(alert: Alert, time: float, rules: AlertRules, acknowledged: Acknowledged) -> bool:
    if time < alert.changed + rules.escalate_after_hours * _HOUR:
        return False
    return alert.alert_id not in acknowledged or acknowledged[alert.alert_id] > time


def id_of_alert(patient_id: str, direction: Direction, identity: str) -> str:
    """Return the id of the alert that an Observation, or the lack of one since a time, opens; no id stands in it."""
    return blake2b(f"{patient_id}\0{direction}\0{identity}".encode(), digest_size=16).hexdigest()


def _differences(was: Sequence[Transition], now: Sequence[Transition], current: Tracks) -> list[Transition]:
    """Return what to tell those who know of other transitions: of each alert, what it now is comes last."""
    known = set(was)
    last_was = {transition.alert.alert_id: transition for transition in was}
    there = _last_alerts(current)
    of_alerts: dict[str, list[Transition]] = {}
    for transition in now:
        of_alerts.setdefault(transition.alert.alert_id, []).append(transition)
    found = []
    for alert_id, transitions in of_alerts.items():
        to_tell = [transition for transition in transitions if transition not in known]
        if to_tell or last_was.get(alert_id) != transitions[-1]:
            found += to_tell
            if not to_tell or to_tell[-1] != transitions[-1]:
                found.append(transitions[-1])
    for alert_id, last in last_was.items():
        if alert_id in of_alerts:
            continue
        if alert_id in there:
            # Opened before the recent readings, by which it is no longer changed.
            found.append(Transition(there[alert_id]))
        elif last.alert.status != "resolved":
            found.append(Transition(replace(last.alert, status="resolved"), "withdrawn"))
    return found
