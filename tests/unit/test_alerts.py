"""Alerts: their life, and that the order in which readings come makes no difference."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bp_faust.clinical.alerts import RECENT, Transition, follow, settle
from bp_faust.clinical.policy import AlertRules
from bp_faust.models import Alerting, Grade, Seen

HOUR = 3600.0
RULES = AlertRules(readings=2, of=3, within_hours=24, resolve_after=2, cooldown_hours=24, escalate_after_hours=12)
STAGE_2 = Grade("aha-2017/stage-2", 2, at_once=False)
SEVERE = Grade("aha-2017/severe", 3, at_once=True)


class Patient:
    """Follow one patient, and remember what was told."""

    def __init__(self) -> None:
        self.alerting = Alerting()
        self.seen: dict[str, Seen | None] = {}
        self.told: list[Transition] = []
        self.acknowledged: dict[str, float] = {}

    def take(self, batch: Iterable[tuple[str, Seen | None]]) -> list[Transition]:
        changes: dict[str, tuple[Seen | None, Seen | None]] = {}
        for identity, now in batch:
            before = changes[identity][0] if identity in changes else self.seen.get(identity)
            changes[identity] = (before, now)
            self.seen[identity] = now
        self.alerting, transitions = follow(
            self.alerting,
            "p",
            changes.values(),
            RULES,
            self.acknowledged,
        )
        self.told += transitions
        return transitions

    def settle(self) -> list[Transition]:
        all_seen = [seen for seen in self.seen.values() if seen is not None]
        self.alerting, transitions = settle(self.alerting, "p", all_seen, RULES, self.acknowledged)
        self.told += transitions
        return transitions

    def reading(self, hours: float, high: Grade | None = None, low: Grade | None = None) -> list[tuple[str, str]]:
        identity = f"at-{hours}"
        transitions = self.take([(identity, Seen(hours * HOUR, identity, high, low))])
        return [(transition.alert.status, transition.alert.rule) for transition in transitions]


def test_a_severe_finding_opens_an_alert_at_once() -> None:
    assert Patient().reading(0, SEVERE) == [("open", "aha-2017/severe")]


def test_any_other_is_confirmed_by_two_of_three_readings_within_the_time() -> None:
    patient = Patient()
    assert patient.reading(0, STAGE_2) == []
    assert patient.reading(1) == []
    assert patient.reading(2, STAGE_2) == [("open", "aha-2017/stage-2")]
    late = Patient()
    assert late.reading(0, STAGE_2) == []
    assert late.reading(25, STAGE_2) == []
    far = Patient()
    assert [far.reading(hours, STAGE_2 if hours in (0, 3) else None) for hours in range(4)] == [[], [], [], []]


def test_a_graver_finding_escalates_and_readings_without_one_resolve() -> None:
    patient = Patient()
    patient.reading(0, STAGE_2)
    patient.reading(1, STAGE_2)
    assert patient.reading(2, SEVERE) == [("escalated", "aha-2017/severe")]
    assert patient.reading(3) == []
    assert patient.reading(4, STAGE_2) == []
    assert patient.reading(5) == []
    assert patient.reading(6) == [("resolved", "aha-2017/severe")]


def test_an_alert_that_nobody_acknowledged_escalates_after_a_time() -> None:
    patient = Patient()
    patient.reading(0, SEVERE)
    assert patient.reading(11, SEVERE) == []
    assert patient.reading(12, SEVERE) == [("escalated", "aha-2017/severe")]
    known = Patient()
    known.reading(0, SEVERE)
    alert = known.told[-1].alert
    known.acknowledged = {alert.alert_id: 2 * HOUR}
    assert known.reading(13, SEVERE) == []


def test_within_the_cooldown_nothing_new_is_opened_but_danger_opens_the_alert_again() -> None:
    patient = Patient()
    for hours in (0, 1):
        patient.reading(hours, STAGE_2)
    for hours in (2, 3):
        patient.reading(hours)
    assert [patient.reading(hours, STAGE_2) for hours in (4, 5)] == [[], []]
    assert patient.reading(3 + 24, STAGE_2) == [("open", "aha-2017/stage-2")]
    assert len({transition.alert.alert_id for transition in patient.told}) == 2
    severe = Patient()
    severe.reading(0, SEVERE)
    for hours in (1, 2):
        severe.reading(hours)
    assert severe.reading(3, SEVERE) == [("open", "aha-2017/severe")]
    assert len({transition.alert.alert_id for transition in severe.told}) == 1


def test_too_high_and_too_low_are_two_alerts() -> None:
    patient = Patient()
    assert len(patient.reading(0, SEVERE, Grade("x/low", 3, at_once=True))) == 2


def test_an_alert_whose_reading_is_taken_back_is_resolved_as_withdrawn() -> None:
    patient = Patient()
    patient.reading(0, SEVERE)
    [told] = patient.take([("at-0", None)])
    assert (told.alert.status, told.reason) == ("resolved", "withdrawn")
    assert patient.alerting.current == Alerting().current


def test_a_reading_that_comes_late_opens_what_it_would_have_opened() -> None:
    patient = Patient()
    patient.reading(5)
    patient.reading(0, STAGE_2)
    assert patient.reading(1, STAGE_2) == [("open", "aha-2017/stage-2")]
    assert patient.alerting.current.high.alert is not None


def standing(told: Iterable[Transition]) -> dict[str, str]:
    """Return the alerts that are not resolved by what was told, with their status."""
    last = {transition.alert.alert_id: transition.alert.status for transition in told}
    return {alert_id: status for alert_id, status in last.items() if status != "resolved"}


grades = st.sampled_from([None, None, STAGE_2, SEVERE])
readings = st.lists(st.tuples(st.integers(0, 200), grades, grades), max_size=4 * RECENT)


@settings(max_examples=300, deadline=None)
@given(readings=readings, seed=st.integers(0, 2**32), batch=st.integers(1, 10))
@pytest.mark.parametrize("corrected", [False, True])
def test_any_order_duplication_and_correction_ends_in_the_same_alerts(
    corrected: bool, readings: list[tuple[int, Grade | None, Grade | None]], seed: int, batch: int
) -> None:
    chance = random.Random(seed)
    final = [
        (f"r-{index}", Seen(hours * HOUR, f"r-{index}", high, low)) for index, (hours, high, low) in enumerate(readings)
    ]
    fresh = Patient()
    for one in sorted(final, key=lambda one: (one[1].time, one[0])):
        fresh.take([one])
    stream: list[tuple[str, Seen | None]] = [*final, *chance.sample(final, len(final) // 3)]
    chance.shuffle(stream)
    if corrected:
        # Each of some readings is first something else, or there is one more that is taken back in the end.
        for identity, _ in chance.sample(final, len(final) // 3):
            first = Seen(chance.randrange(200) * HOUR, identity, *chance.choices([None, STAGE_2, SEVERE], k=2))
            stream.insert(
                chance.randrange(1 + next(i for i, one in enumerate(stream) if one[0] == identity)), (identity, first)
            )
        for index in range(len(final) // 4):
            extra = Seen(chance.randrange(200) * HOUR, f"x-{index}", chance.choice([STAGE_2, SEVERE]))
            at = chance.randrange(len(stream) + 1)
            stream.insert(at, (extra.identity, extra))
            stream.insert(chance.randrange(at + 1, len(stream) + 1), (extra.identity, None))
    patient = Patient()
    for start in range(0, len(stream), batch):
        patient.take(stream[start : start + batch])
        if patient.alerting.unsettled_since is not None and chance.random() < 0.2:
            patient.settle()
    if patient.alerting.unsettled_since is not None:
        patient.settle()
    assert patient.settle() == []
    assert patient.alerting.current == fresh.alerting.current
    tracks = (fresh.alerting.current.high, fresh.alerting.current.low)
    assert standing(patient.told) == {
        alert.alert_id: alert.status for track in tracks if (alert := track.alert) is not None
    }
