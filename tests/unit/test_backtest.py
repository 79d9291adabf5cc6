"""A backtest counts what an independent look at the same readings counts."""

from __future__ import annotations

import random
from collections import Counter

from bp_faust.clinical.backtest import Backtest
from bp_faust.clinical.judges import Judges
from bp_faust.clinical.policies import POLICIES
from bp_faust.models import Reading

DAY = 86_400.0


def rules(policy: str) -> object:
    return Judges(POLICIES, policy).rules(None, None)


def reading(identity: str, systolic: float, diastolic: float, time: float, **fields: object) -> Reading:
    known: dict[str, object] = {"status": "final", **fields}
    return Reading("p", identity, systolic=systolic, diastolic=diastolic, effective=time, **known)  # type: ignore[arg-type]


def backtest(first: str = "aha-2017", second: str = "seed") -> Backtest:
    return Backtest(rules(first), rules(second))  # type: ignore[arg-type]


def test_findings_and_differences_are_those_of_the_thresholds() -> None:
    chance = random.Random(6)
    pairs = [(chance.randint(85, 195), chance.randint(55, 125)) for _ in range(2000)]
    test = backtest()
    differing = sum(
        test.take(reading(f"r-{index}", *pair, index * 60.0)) is not None for index, pair in enumerate(pairs)
    )
    report = test.describe()
    aha, seed = report["policies"]
    verdicts = Counter("high" if s > 140 or d > 90 else "low" if s < 90 or d < 60 else "none" for s, d in pairs)
    assert seed["findings"] == {"seed/hypertension": verdicts["high"], "seed/hypotension": verdicts["low"]}
    assert aha["findings"]["aha-2017/severe"] == sum(s > 180 or d > 120 for s, d in pairs)
    assert aha["findings"]["aha-2017/hypotension"] == sum(s < 90 or d < 60 for s, d in pairs)
    assert (report["readings"], report["differing"], report["days"]) == (2000, differing, 2)
    assert 0 < differing < 2000


def test_repeats_withdrawals_and_implausible_readings_are_left_out() -> None:
    test = backtest()
    test.take(reading("1", 150, 80, 0))
    for left_out in (
        reading("1", 150, 80, 0),
        reading("2", 150, 80, 0, status="entered-in-error"),
        reading("3", 900, 80, 0, flags=("implausible",)),
    ):
        assert test.take(left_out) is None
    assert (test.readings, test.left_out) == (1, 3)


def test_alerts_are_counted_by_day_and_patient_and_late_readings_open_none() -> None:
    test = backtest()
    for index, (systolic, time) in enumerate(
        [(190, 0.0), (120, DAY), (120, 1.1 * DAY), (150, 1.05 * DAY), (190, 3 * DAY)]
    ):
        test.take(reading(f"r-{index}", systolic, 79, time))
    report = test.describe()
    aha, seed = report["policies"]
    assert aha["alerts_by_day"] == {"1970-01-01": 1, "1970-01-04": 1}
    assert (aha["alerts"], aha["alerts_a_day"], aha["patients_alerted"], report["late"]) == (2, 0.5, 1, 1)
    assert seed["alerts"] == 0


def test_nothing_gives_an_empty_report() -> None:
    report = backtest().describe()
    assert (report["readings"], report["days"], report["first"]) == (0, 0, None)
    assert [policy["alerts_a_day"] for policy in report["policies"]] == [0, 0]
