"""The seed's thresholds, one below and one above each."""

import pytest

from bp_faust.clinical.classification import classify


@pytest.mark.parametrize(
    ("systolic", "diastolic", "expected"),
    [
        (120, 80, None),
        (140, 90, None),
        (140.5, 80, "Hypertension"),
        (141, 80, "Hypertension"),
        (120, 90.1, "Hypertension"),
        (120, 91, "Hypertension"),
        (90, 60, None),
        (89, 70, "Hypotension"),
        (89.9, 70, "Hypotension"),
        (100, 59, "Hypotension"),
        (150, 55, "Hypertension"),
        (85, 95, "Hypertension"),
    ],
)
def test_thresholds_are_the_seeds(systolic: float, diastolic: float, expected: str | None) -> None:
    assert classify(systolic, diastolic) == expected


@pytest.mark.parametrize(
    ("systolic", "diastolic", "expected"),
    [
        (200, None, "Hypertension"),
        (None, 95, "Hypertension"),
        (80, None, "Hypotension"),
        (120, None, None),
        (None, None, None),
    ],
)
def test_an_absent_value_decides_nothing_and_the_other_is_judged(
    systolic: float | None, diastolic: float | None, expected: str | None
) -> None:
    assert classify(systolic, diastolic) == expected
