"""Judge readings by a policy: data that says which pressures are which category, and who says so."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from bp_faust.models import Direction, Grade, MeasurementSetting
from bp_faust.yaml_files import Place, read_yaml

Severity = Literal["none", "mild", "moderate", "severe"]
AlertRule = Literal["at-once", "confirmed", "never"]
Pressure = Literal["systolic", "diastolic"]

#: From the least to the most.
SEVERITIES: tuple[Severity, ...] = ("none", "mild", "moderate", "severe")

_ALERT_RULES: dict[str, AlertRule] = {
    "none": "never",
    "mild": "confirmed",
    "moderate": "confirmed",
    "severe": "at-once",
}

_BOUND = re.compile(r"(<=|>=|<|>)(\d+(?:\.\d+)?)")


class PolicyError(ValueError):
    """Say what is wrong with a policy file, and on which line."""


class Interval:
    """Hold the numbers at or above ``low`` and below ``high``; written as bounds, such as ``>=130 <140``."""

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high

    def __contains__(self, number: float) -> bool:
        return self.low <= number < self.high


def interval(text: str) -> Interval:
    """Return the interval of bounds such as ``>=130 <140``; raise ValueError where there is none.

    A float above 180 is one at or above the next float, so that all intervals are of one kind.
    """
    low, high = -math.inf, math.inf
    for bound in text.split():
        found = _BOUND.fullmatch(bound)
        if found is None:
            raise ValueError(f"{text!r} is no interval; write bounds such as `>=130 <140`")
        sign, number = found[1], float(found[2])
        at = math.nextafter(number, math.inf) if sign in (">", "<=") else number
        if sign.startswith(">"):
            low = max(low, at)
        else:
            high = min(high, at)
    if not low < high or not text.strip():
        raise ValueError(f"{text!r} holds no number; write bounds such as `>=130 <140`")
    return Interval(low, high)


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold when a category applies: all of what is given must hold.

    Pressures are intervals in mmHg, ``age`` one in completed years. A pressure that a reading does not have decides
    nothing, as long as it has the other one. Someone of unknown age is taken for an adult.
    """

    systolic: Interval | None = None
    diastolic: Interval | None = None
    age: Interval | None = None
    setting: MeasurementSetting | None = None
    pregnant: bool | None = None


class Category(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold a category: it applies where one of its conditions holds."""

    id: str
    title: str
    severity: Severity
    when: tuple[Condition, ...]
    #: Whether pressures are too high or too low; an alert follows one of the two. Needed above severity ``none``.
    direction: Direction | None = None
    #: Where the condition comes from, if not from where the policy does.
    citation: str | None = None
    #: Whether it may stand beside another category of the same pressure, as isolated systolic hypertension does.
    subtype: bool = False
    #: When it opens an alert; by its severity where nothing is said.
    alert: AlertRule | None = None

    @property
    def alert_rule(self) -> AlertRule:
        """Return when it opens an alert."""
        return self.alert or _ALERT_RULES[self.severity]


class AlertRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold when findings that are not severe become alerts, and when alerts end."""

    #: So many of the last ``of`` readings, all within ``within_hours``, confirm a finding.
    readings: int = 2
    of: int = 3
    within_hours: float = 7 * 24.0
    #: So many readings in a row without the finding resolve its alert.
    resolve_after: int = 2
    #: How long after it was resolved a finding opens no new alert.
    cooldown_hours: float = 24.0
    #: After how long an alert that nobody acknowledged escalates with the next reading that has the finding.
    escalate_after_hours: float = 12.0


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold a policy, as its file says it."""

    id: str
    title: str
    citation: str
    version: str
    categories: tuple[Category, ...]
    #: Whether only the first category that applies counts, as in the seed, rather than one for each pressure.
    exclusive: bool = False
    alerts: AlertRules = AlertRules()


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
        self._hash = hash((category, findings))
        self.encoded = msgspec.Raw(msgspec.json.encode(findings))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Judgement) and (self.category, self.findings) == (other.category, other.findings)

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True)
class Circumstances:
    """Hold what else decides on a reading: age in completed years, where it was measured, pregnancy."""

    age: int | None = None
    setting: MeasurementSetting = "office"
    pregnant: bool = False


ADULT = Circumstances()
#: Stands for everyone whose age is not known.
_ADULT_AGE = 40


def read_policy(text: str, name: str) -> Policy:
    """Return the policy of a YAML file's text; raise PolicyError with the file's name and the line."""
    return read_yaml(text, name, Policy, decode=_decode, contradictions=_contradictions, error=PolicyError)


def _decode(wanted: type, found: object) -> object:
    if wanted is Interval and isinstance(found, str):
        return interval(found)
    raise ValueError(f"{found!r} is no interval; write bounds such as `>=130 <140`")


def _contradictions(policy: Policy) -> Iterable[tuple[Place, str]]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", policy.id):
        yield ["id"], f"The id {policy.id!r} is not made of small letters, digits, dots and hyphens"
    if not policy.categories:
        yield ["categories"], "There is no category"
    seen: set[str] = set()
    for index, category in enumerate(policy.categories):
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", category.id):
            yield (
                ["categories", index, "id"],
                f"The id {category.id!r} is not made of small letters, digits and hyphens",
            )
        if category.id in seen:
            yield ["categories", index, "id"], f"There is another category {category.id!r}"
        seen.add(category.id)
        if not category.when:
            yield ["categories", index, "when"], f"Category {category.id!r} has no condition"
        if category.severity != "none" and category.direction is None:
            yield ["categories", index], f"Category {category.id!r} needs a `direction`, as its severity is not `none`"
    rules = policy.alerts
    if not 1 <= rules.readings <= rules.of <= _MOST_READINGS:
        yield ["alerts"], f"`readings` is not between 1 and `of`, or `of` above {_MOST_READINGS}"
    if not 1 <= rules.resolve_after <= _MOST_READINGS:
        yield ["alerts", "resolve_after"], f"`resolve_after` is not between 1 and {_MOST_READINGS}"
    if not all(hours >= 0 for hours in (rules.within_hours, rules.cooldown_hours, rules.escalate_after_hours)):
        yield ["alerts"], "A time is negative, or no number"


#: How many readings a confirmation looks at, at most: they are kept with each patient.
_MOST_READINGS = 10


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
