"""Read a policy: data that says which pressures are which category, and who says so. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from bp_faust.models import Direction, MeasurementSetting
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

#: How many readings a confirmation looks at, at most: they are kept with each patient.
_MOST_READINGS = 10

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
