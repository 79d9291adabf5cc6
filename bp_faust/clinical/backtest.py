"""Compare what two policies make of the same readings. Pure, and in memory that does not grow with their number."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bp_faust.clinical.alerts import Transition, step
from bp_faust.clinical.judgement import Judgement
from bp_faust.clinical.judges import Rules
from bp_faust.clinical.state import WITHDRAWN
from bp_faust.clinical.times import timestamp
from bp_faust.models import Reading, Track, Tracks

#: How many of the last Observations are remembered at least, so that a repeat counts once.
_REMEMBERED = 500_000

_DAY = 86_400.0
_NO_TRACK = Track()
_NO_TRACKS = Tracks(_NO_TRACK, _NO_TRACK)
_NONE_YET = (float("-inf"), _NO_TRACKS, _NO_TRACKS)
_NOBODY: dict[str, float] = {}

#: How many pairs of pressures' judgements are remembered: more than whole numbers of mmHg make.
_PRESSURES = 100_000


@dataclass
class _Pair:
    """Hold how many readings the policies judge in one and the same way; there are few such ways."""

    judgements: tuple[Judgement, Judgement]
    same: bool
    readings: int = 0


@dataclass
class _Alerts:
    """Hold the alerts that a policy would have opened."""

    by_day: Counter[int] = field(default_factory=Counter)
    patients: set[str] = field(default_factory=set)

    def follow(self, tracks: Tracks, reading: Reading, time: float, judgement: Judgement, rules: Rules) -> Tracks:
        """Return what a reading makes of a patient's alerts."""
        high, low = tracks.high, tracks.low
        told: list[Transition] = []
        patient_id, identity, alert_rules = reading.patient_id, reading.observation_id or "", rules.judge.policy.alerts
        # A reading without a finding changes nothing where there was none.
        if judgement.high is not None or high is not _NO_TRACK:
            high = step(high, "high", judgement.high, patient_id, time, identity, alert_rules, _NOBODY, told)
        if judgement.low is not None or low is not _NO_TRACK:
            low = step(low, "low", judgement.low, patient_id, time, identity, alert_rules, _NOBODY, told)
        for transition in told:
            if transition.alert.status == "open":
                self.by_day[int(time // _DAY)] += 1
                self.patients.add(patient_id)
        return tracks if high is tracks.high and low is tracks.low else Tracks(high, low)


class Backtest:
    """Judge readings by two policies, as they come."""

    def __init__(self, first: Rules, second: Rules) -> None:
        self.readings = 0
        #: Readings that were repeats, taken back, or implausible, and so not judged.
        self.left_out = 0
        #: Readings that came after a later one of the same patient: judged, but of no account for alerts.
        self.late = 0
        self._rules = (first, second)
        self._alerts = (_Alerts(), _Alerts())
        #: By the identity of the judgements, which stay as long as their policies.
        self._pairs: dict[tuple[int, int], _Pair] = {}
        self._by_pressures: dict[tuple[float | None, float | None], _Pair] = {}
        self._tracks: dict[str, tuple[float, Tracks, Tracks]] = {}
        self._remembered: set[int] = set()
        self._remembered_before: set[int] = set()
        self._first = float("inf")
        self._last = float("-inf")

    def take(self, reading: Reading) -> tuple[Judgement, Judgement] | None:
        """Judge a reading; return both judgements where their findings differ in more than their names."""
        if reading.status in WITHDRAWN or "implausible" in reading.flags or self._is_known(reading):
            self.left_out += 1
            return None
        self.readings += 1
        time = reading.time
        if time < self._first:
            self._first = time
        if time > self._last:
            self._last = time
        pair = self._pair(reading)
        pair.readings += 1
        first, second = self._rules
        one, other = pair.judgements
        last, of_first, of_second = self._tracks.get(reading.patient_id, _NONE_YET)
        if time < last:
            self.late += 1
        else:
            self._tracks[reading.patient_id] = (
                time,
                self._alerts[0].follow(of_first, reading, time, one, first),
                self._alerts[1].follow(of_second, reading, time, other, second),
            )
        return None if pair.same else pair.judgements

    def _pair(self, reading: Reading) -> _Pair:
        first, second = self._rules
        pressures, pair = None, None
        if first.of_pressures_alone(reading) and second.of_pressures_alone(reading):
            pressures = (reading.systolic, reading.diastolic)
            pair = self._by_pressures.get(pressures)
        if pair is None:
            one, other = first.of(reading), second.of(reading)
            pair = self._pairs.get((id(one), id(other)))
            if pair is None:
                pair = self._pairs[id(one), id(other)] = _Pair((one, other), _meaning(one) == _meaning(other))
            if pressures is not None and len(self._by_pressures) < _PRESSURES:
                self._by_pressures[pressures] = pair
        return pair

    def _is_known(self, reading: Reading) -> bool:
        if reading.observation_id is None:
            return False
        key = hash((reading.patient_id, reading.observation_id, reading.version, reading.status))
        if key in self._remembered or key in self._remembered_before:
            return True
        self._remembered.add(key)
        if len(self._remembered) == _REMEMBERED:
            self._remembered, self._remembered_before = set(), self._remembered
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
            "differing": sum(pair.readings for pair in self._pairs.values() if not pair.same),
            "days": self.days,
            "first": timestamp(self._first) if self.readings else None,
            "last": timestamp(self._last) if self.readings else None,
            "policies": [self._describe(place) for place in (0, 1)],
        }

    def _describe(self, place: int) -> dict[str, Any]:
        findings: Counter[str] = Counter()
        abnormal = 0
        for pair in self._pairs.values():
            rules = pair.judgements[place].rules
            abnormal += pair.readings if rules else 0
            for rule in rules:
                findings[rule] += pair.readings
        alerts = self._alerts[place]
        opened = alerts.by_day.total()
        return {
            "policy": self._rules[place].judge.policy.id,
            "readings_with_findings": abnormal,
            "findings": dict(findings.most_common()),
            "patients_alerted": len(alerts.patients),
            "alerts": opened,
            "alerts_a_day": round(opened / self.days, 3) if self.days else 0,
            "alerts_by_day": {timestamp(day * _DAY)[:10]: number for day, number in sorted(alerts.by_day.items())},
        }


def _meaning(judgement: Judgement) -> set[tuple[str, str, tuple[str, ...]]]:
    return {(finding.direction, finding.severity, finding.pressures) for finding in judgement.findings}
