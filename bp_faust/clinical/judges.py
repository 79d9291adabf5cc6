"""Choose how a patient is judged: by the site's policy, the cohort's or the patient's own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import asdict, replace

from bp_faust.clinical.judgement import Circumstances, Judge, Judgement
from bp_faust.clinical.policy import Category, Condition, Interval, Policy
from bp_faust.clinical.times import moment
from bp_faust.models import Direction, MeasurementSetting, PatientSettings, Reading, Thresholds

_NOTHING_SET = PatientSettings()
_SET_FOR_PATIENT = "Set for this patient."


class Rules(NamedTuple):
    """Hold how one patient is judged, and what is set for the patient."""

    judge: Judge
    settings: PatientSettings

    def of_pressures_alone(self, reading: Reading) -> bool:
        """Tell whether nothing but its pressures decides on a reading: no setting, and no age."""
        if self.settings is not _NOTHING_SET:
            return False
        born = reading.birth_date
        if born is None:
            return True
        time = reading.effective if reading.effective is not None else reading.received
        return time >= _comes_of_age(born, self.judge.adult_age)

    def of(self, reading: Reading) -> Judgement:
        """Return what a reading of this patient is."""
        judge = self.judge
        if self.of_pressures_alone(reading):
            return judge.judge(reading.systolic, reading.diastolic)
        return judge.judge(reading.systolic, reading.diastolic, self.circumstances(reading.time, reading.birth_date))

    def circumstances(self, time: float, birth_date: str | None = None) -> Circumstances:
        """Return what else decides on a reading of a time in seconds since 1970; what is set comes first."""
        settings = self.settings
        born = settings.birth_date or birth_date
        return Circumstances(
            age(born, time) if born is not None else None, settings.setting or "office", settings.pregnant or False
        )


class Judges:
    """Keep a judge for each policy and each patient's own thresholds that are in use."""

    def __init__(self, policies: Mapping[str, Policy], policy: str, setting: MeasurementSetting = "office") -> None:
        """Judge by one of the policies, and readings as made in one setting, where nothing else is set."""
        self.policies = policies
        self._policy = policy
        self._nothing_set = _NOTHING_SET if setting == "office" else PatientSettings(setting=setting)
        self._judges: dict[tuple[str, Thresholds | None], Judge] = {}

    def rules(self, patient: PatientSettings | None, cohort: PatientSettings | None) -> Rules:
        """Return how a patient is judged; a policy that is not known here is left out."""
        settings = self._nothing_set
        for more in (cohort, patient):
            if more is not None:
                settings = replace(
                    settings, **{name: value for name, value in asdict(more).items() if value is not None}
                )
        policy = settings.policy if settings.policy in self.policies else None
        return Rules(self._judge(policy or self._policy, settings.thresholds), settings)

    def finding(self, rule: str) -> tuple[str, str, str]:
        """Return title, policy and citation of a rule, as far as it is known here."""
        policy_id, _, category_id = rule.partition("/")
        policy = self.policies.get(policy_id)
        for own, title in _OWN.values():
            if own == category_id:
                return title, policy_id, _SET_FOR_PATIENT
        for category in policy.categories if policy is not None else ():
            if category.id == category_id and policy is not None:
                return category.title, policy_id, category.citation or policy.citation
        return rule, policy_id, ""

    def _judge(self, policy_id: str, thresholds: Thresholds | None) -> Judge:
        judge = self._judges.get((policy_id, thresholds))
        if judge is None:
            policy = self.policies[policy_id]
            judge = Judge(policy if thresholds is None else with_thresholds(policy, thresholds))
            self._judges[policy_id, thresholds] = judge
        return judge


def with_thresholds(policy: Policy, thresholds: Thresholds) -> Policy:
    """Return a policy whose findings that are not severe are made by a patient's own thresholds instead."""
    limits: tuple[tuple[Direction, Interval | None, Interval | None], ...] = (
        ("high", _above(thresholds.systolic_above), _above(thresholds.diastolic_above)),
        ("low", _below(thresholds.systolic_below), _below(thresholds.diastolic_below)),
    )
    own = [
        Category(*_OWN[direction], "moderate", tuple(_conditions(systolic, diastolic)), direction, _SET_FOR_PATIENT)
        for direction, systolic, diastolic in limits
        if systolic is not None or diastolic is not None
    ]
    kept = [category for category in policy.categories if category.severity in ("none", "severe")]
    first = [category for category in kept if category.severity == "severe" or _is_for_some(category)]
    return replace(policy, categories=(*first, *own, *(category for category in kept if category not in first)))


#: Id and title.
_OWN: dict[Direction, tuple[str, str]] = {
    "high": ("above-own-threshold", "Above own threshold"),
    "low": ("below-own-threshold", "Below own threshold"),
}


def _above(limit: float | None) -> Interval | None:
    return Interval(math.nextafter(limit, math.inf), math.inf) if limit is not None else None


def _below(limit: float | None) -> Interval | None:
    return Interval(-math.inf, limit) if limit is not None else None


def _conditions(systolic: Interval | None, diastolic: Interval | None) -> Iterable[Condition]:
    if systolic is not None:
        yield Condition(systolic=systolic)
    if diastolic is not None:
        yield Condition(diastolic=diastolic)


def _is_for_some(category: Category) -> bool:
    """Tell whether a category takes some people out, such as children, whatever their pressures."""
    return all(
        condition.systolic is None and condition.diastolic is None and condition != Condition()
        for condition in category.when
    )


def age(birth_date: str, time: float) -> int:
    """Return the completed years at a time in seconds since 1970; where only the year or month is known, the fewest."""
    year, month, day = _birth(birth_date)
    then = moment(time)
    return then.year - year - ((then.month, then.day) < (month, day))


def _birth(birth_date: str) -> tuple[int, int, int]:
    year, month, day = map(int, (birth_date + "-12-31"[len(birth_date) - 4 :]).split("-"))
    return year, month, day


@lru_cache(maxsize=65_536)
def _comes_of_age(birth_date: str, years: float) -> float:
    """Return a time, in seconds since 1970, by which so many years are completed for certain: at most a month late."""
    if math.isinf(years):
        return years
    year, month, _ = _birth(birth_date)
    return (date(year + math.ceil(years), month, 1) - date(1970, 1, 1) + timedelta(days=31)).total_seconds()
