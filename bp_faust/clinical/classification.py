"""Tell what is wrong with a reading."""

from __future__ import annotations

HYPERTENSION = "Hypertension"
HYPOTENSION = "Hypotension"


def classify(systolic: float | None, diastolic: float | None) -> str | None:
    """Return the anomaly type of a reading in mmHg by the seed's thresholds, None where nothing is wrong.

    Hypertension above 140 systolic or above 90 diastolic, else hypotension below 90 systolic or below 60 diastolic. A
    value that is absent decides nothing; the other one is still judged.
    """
    if (systolic is not None and systolic > 140) or (diastolic is not None and diastolic > 90):
        return HYPERTENSION
    if (systolic is not None and systolic < 90) or (diastolic is not None and diastolic < 60):
        return HYPOTENSION
    return None
