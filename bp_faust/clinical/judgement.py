"""Judge readings by a policy: which category each is in, and what is wrong with it. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from bp_faust.clinical.policy import SEVERITIES, Category, Condition, Interval, Policy, Pressure, Severity
from bp_faust.models import Direction, Grade, MeasurementSetting


class Finding(msgspec.Struct, frozen=True):
    """Hold what is wrong with one or both of a reading's pressures, by which rule of which policy."""

    #: The policy's and the category's id, as ``aha-2017/stage-2``.
    rule: str
    title: str
    severity: Severity
    pressures: tuple[Pressure, ...]
    policy: str
    direction: Direction
    citation: str


class Judgement:
    """Hold a reading's category, and what is wrong with it; the gravest first."""

    def __init__(
        self, category: str, findings: tuple[Finding, ...], high: Grade | None = None, low: Grade | None = None
    ) -> None:
        self.category = category
        self.findings = findings
        #: The gravest finding's title, None where nothing is wrong.
        self.anomaly_type = findings[0].title if findings else None
        self.rules = tuple(finding.rule for finding in findings)
        #: What alerts would be about.
        self.high = high
        self.low = low
        #: The findings as JSON: the same for thousands of readings.
        self.encoded = msgspec.Raw(msgspec.json.encode(findings))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Judgement) and (self.category, self.findings) == (other.category, other.findings)


@dataclass(frozen=True)
class Circumstances:
    """Hold what else decides on a reading: age in completed years, where it was measured, pregnancy."""

    age: int | None = None
    setting: MeasurementSetting = "office"
    pregnant: bool = False


ADULT = Circumstances()
#: Stands for everyone whose age is not known.
_ADULT_AGE = 40


class Judge:
    """Judge readings by a policy in the time of two look-ups.

    A policy's bounds cut the pressures into steps on which nothing changes, so all answers for the same circumstances
    fit a small grid, which is made when it is first asked for.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        conditions = [condition for category in policy.categories for condition in category.when]
        #: Between which pressures nothing changes.
        self.systolic_cuts = _cuts(condition.systolic for condition in conditions)
        self.diastolic_cuts = _cuts(condition.diastolic for condition in conditions)
        self._age = _cuts(condition.age for condition in conditions)
        #: From which age on there is only one rule, that of those whose age is not known; infinite where there is none.
        self.adult_age = max(self._age, default=0.0)
        if self.adult_age > _ADULT_AGE:
            self.adult_age = math.inf
        self._grids: dict[tuple[int, MeasurementSetting, bool], list[list[Judgement]]] = {}

    def judge(self, systolic: float | None, diastolic: float | None, circumstances: Circumstances = ADULT) -> Judgement:
        """Return what a reading in mmHg is; at least one of the pressures must be there."""
        age = circumstances.age if circumstances.age is not None else _ADULT_AGE
        context = (bisect_right(self._age, age), circumstances.setting, circumstances.pregnant)
        grid = self._grids.get(context)
        if grid is None:
            grid = self._grids[context] = self._grid(circumstances)
        # The last row and column are for a pressure that is absent.
        row = grid[-1 if systolic is None else bisect_right(self.systolic_cuts, systolic)]
        return row[-1 if diastolic is None else bisect_right(self.diastolic_cuts, diastolic)]

    def _grid(self, circumstances: Circumstances) -> list[list[Judgement]]:
        return [
            [judge(self.policy, systolic, diastolic, circumstances) for diastolic in _samples(self.diastolic_cuts)]
            for systolic in _samples(self.systolic_cuts)
        ]


def _cuts(intervals: Iterable[Interval | None]) -> list[float]:
    bounds = {bound for one in intervals if one is not None for bound in (one.low, one.high)}
    return sorted(bounds - {-math.inf, math.inf})


def _samples(cuts: Sequence[float]) -> list[float | None]:
    return [-math.inf, *cuts, None]


def judge(
    policy: Policy, systolic: float | None, diastolic: float | None, circumstances: Circumstances = ADULT
) -> Judgement:
    """Return what a reading in mmHg is by a policy's words, category by category; ``Judge`` answers the same sooner."""
    claimed: set[Pressure] = set()
    applying: list[tuple[Category, tuple[Pressure, ...]]] = []
    for category in policy.categories:
        concerned: set[Pressure] = set()
        final = False
        for condition in category.when:
            pressures = _concerned(condition, systolic, diastolic, circumstances)
            if pressures is not None and not (category.subtype and len(pressures) < _named(condition)):
                concerned |= pressures
                final = final or (condition.systolic is None and condition.diastolic is None)
        new = concerned if category.subtype else concerned - claimed
        if final or new:
            applying.append((category, tuple(sorted(new, reverse=True))))
        if final or (policy.exclusive and applying):
            break
        if not category.subtype:
            claimed |= concerned
    grave = sorted(applying, key=lambda found: -SEVERITIES.index(found[0].severity))
    findings = tuple(
        Finding(
            f"{policy.id}/{category.id}",
            category.title,
            category.severity,
            pressures,
            policy.id,
            category.direction,
            category.citation or policy.citation,
        )
        for category, pressures in grave
        if category.severity != "none" and category.direction is not None
    )
    high, low = (
        next((_grade(policy, category) for category, _ in grave if _opens_alert(category, direction)), None)
        for direction in ("high", "low")
    )
    return Judgement(grave[0][0].id if grave else "", findings, high, low)


def _opens_alert(category: Category, direction: str) -> bool:
    return category.severity != "none" and category.direction == direction and category.alert_rule != "never"


def _grade(policy: Policy, category: Category) -> Grade:
    return Grade(f"{policy.id}/{category.id}", SEVERITIES.index(category.severity), category.alert_rule == "at-once")


def _named(condition: Condition) -> int:
    return (condition.systolic is not None) + (condition.diastolic is not None)


def _concerned(
    condition: Condition, systolic: float | None, diastolic: float | None, circumstances: Circumstances
) -> set[Pressure] | None:
    """Return which pressures a condition is about, None where it does not hold."""
    age = circumstances.age if circumstances.age is not None else _ADULT_AGE
    if condition.age is not None and age not in condition.age:
        return None
    if condition.setting is not None and condition.setting != circumstances.setting:
        return None
    if condition.pregnant is not None and condition.pregnant != circumstances.pregnant:
        return None
    pressures: set[Pressure] = set()
    wanted: tuple[tuple[Pressure, Interval | None, float | None], ...] = (
        ("systolic", condition.systolic, systolic),
        ("diastolic", condition.diastolic, diastolic),
    )
    for name, bounds, value in wanted:
        if bounds is None or value is None:
            continue
        if value not in bounds:
            return None
        pressures.add(name)
    if not pressures and _named(condition):
        return None
    return pressures
