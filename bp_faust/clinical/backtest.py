"""Compare what two policies make of the same readings. Pure, and in memory that does not grow with their number."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import Any

from bp_faust.clinical.alerts import advance
from bp_faust.clinical.judges import Rules
from bp_faust.clinical.policy import Judgement
from bp_faust.clinical.state import timestamp
from bp_faust.models import Reading, Seen, Tracks

#: How many of the last Observations are remembered, so that a repeat counts once.
_REMEMBERED = 500_000

_DAY = 86_400.0
_NO_TRACKS = Tracks()


@dataclass
class Outcome:
    """Hold what one policy makes of the readings."""

    policy: str
    findings: Counter[str] = field(default_factory=Counter)
    #: How many readings have a finding.
    abnormal: int = 0
    #: Alerts opened, by the day of the reading.
    alerts: Counter[date] = field(default_factory=Counter)
    #: The patients for whom an alert would have been opened.
    patients: set[str] = field(default_factory=set)

    def describe(self, days: int) -> dict[str, Any]:
        """Return it as JSON has it."""
        opened = self.alerts.total()
        return {
            "policy": self.policy,
            "readings_with_findings": self.abnormal,
            "findings": dict(self.findings.most_common()),
            "patients_alerted": len(self.patients),
            "alerts": opened,
            "alerts_a_day": round(opened / days, 3) if days else 0,
            "alerts_by_day": {day.isoformat(): number for day, number in sorted(self.alerts.items())},
        }


class Backtest:
    """Judge readings by two policies, one after the other, as they come."""

    def __init__(self, first: Rules, second: Rules) -> None:
        self.outcomes = (Outcome(first.judge.policy.id), Outcome(second.judge.policy.id))
        self.readings = 0
        #: Readings that were repeats, taken back, or implausible, and so not judged.
        self.left_out = 0
        #: Readings that came after a later one of the same patient: judged, but of no account for alerts.
        self.late = 0
        self.differing = 0
        self._rules = (first, second)
        self._tracks: dict[str, tuple[float, Tracks, Tracks]] = {}
        self._remembered: OrderedDict[int, None] = OrderedDict()
        self._known_same: dict[tuple[Judgement, Judgement], bool] = {}
        self._first = float("inf")
        self._last = float("-inf")

    def take(self, reading: Reading) -> tuple[Judgement, Judgement] | None:
        """Judge a reading; return both judgements where their findings differ in more than their names."""
        taken_back = reading.status in ("cancelled", "entered-in-error")
        if taken_back or "implausible" in reading.flags or self._is_known(reading):
            self.left_out += 1
            return None
        self.readings += 1
        time = reading.effective if reading.effective is not None else reading.received
        self._first, self._last = min(self._first, time), max(self._last, time)
        first, second = self._rules
        judgements = first.of(reading), second.of(reading)
        last, *tracks = self._tracks.get(reading.patient_id, (float("-inf"), _NO_TRACKS, _NO_TRACKS))
        in_order = time >= last
        if not in_order:
            self.late += 1
        for place, (outcome, judgement) in enumerate(zip(self.outcomes, judgements, strict=True)):
            if judgement.rules:
                outcome.abnormal += 1
                for rule in judgement.rules:
                    outcome.findings[rule] += 1
            # A reading without a finding changes nothing where there was none.
            if in_order and (judgement.rules or tracks[place] != _NO_TRACKS):
                tracks[place] = self._follow(outcome, tracks[place], reading, time, judgement, self._rules[place])
        if in_order:
            self._tracks[reading.patient_id] = (time, tracks[0], tracks[1])
        if self._same(judgements):
            return None
        self.differing += 1
        return judgements

    def _same(self, judgements: tuple[Judgement, Judgement]) -> bool:
        same = self._known_same.get(judgements)
        if same is None:
            same = self._known_same[judgements] = _meaning(judgements[0]) == _meaning(judgements[1])
        return same

    def _follow(
        self, outcome: Outcome, tracks: Tracks, reading: Reading, time: float, judgement: Judgement, rules: Rules
    ) -> Tracks:
        seen = Seen(time, reading.observation_id or "", judgement.high, judgement.low)
        tracks, transitions = advance(tracks, reading.patient_id, seen, rules.judge.policy.alerts)
        for transition in transitions:
            if transition.alert.status == "open":
                outcome.alerts[_day(time)] += 1
                outcome.patients.add(reading.patient_id)
        return tracks

    def _is_known(self, reading: Reading) -> bool:
        if reading.observation_id is None:
            return False
        key = hash((reading.patient_id, reading.observation_id, reading.version, reading.status))
        if key in self._remembered:
            return True
        self._remembered[key] = None
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return False

    @property
    def days(self) -> int:
        """Return from how many days the readings are, from the first to the last."""
        return int(self._last // _DAY - self._first // _DAY) + 1 if self.readings else 0

    def describe(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "readings": self.readings,
            "left_out": self.left_out,
            "late": self.late,
            "differing": self.differing,
            "days": self.days,
            "first": timestamp(self._first) if self.readings else None,
            "last": timestamp(self._last) if self.readings else None,
            "policies": [outcome.describe(self.days) for outcome in self.outcomes],
        }


def _meaning(judgement: Judgement) -> set[tuple[str, str, tuple[str, ...]]]:
    return {(finding.direction, finding.severity, finding.pressures) for finding in judgement.findings}


def _day(time: float) -> date:
    return datetime.fromtimestamp(time, timezone.utc).date()
