"""Say which category a pressure alone is in, from the lowest to the highest, as a chart shows it. Pure."""

from __future__ import annotations

from itertools import pairwise

from msgspec import Struct

from bp_faust.clinical.judgement import ADULT, Circumstances, Judge
from bp_faust.clinical.policy import Pressure, Severity
from bp_faust.models import Direction

#: A bound such as "above 140" is kept as the next number after it.
_DIGITS = 6


class Band(Struct, frozen=True):
    """Hold the category of a pressure from ``low`` on and below ``high``, in mmHg; None where there is no such end."""

    low: float | None
    high: float | None
    #: The policy's and the category's id, as ``aha-2017/stage-2``; empty where no category applies.
    rule: str
    title: str
    severity: Severity
    direction: Direction | None


def bands(judge: Judge, pressure: Pressure, circumstances: Circumstances = ADULT) -> list[Band]:
    """Return a pressure's categories in order, without a gap; what takes both pressures is left out."""
    cuts = judge.systolic_cuts if pressure == "systolic" else judge.diastolic_cuts
    categories = {category.id: category for category in judge.policy.categories}
    found: list[Band] = []
    edges = [None, *cuts, None]
    for low, high in pairwise(edges):
        value = low if low is not None else float("-inf")
        systolic, diastolic = (value, None) if pressure == "systolic" else (None, value)
        judged = judge.judge(systolic, diastolic, circumstances)
        category = categories.get(judged.category)
        band = Band(
            _rounded(low),
            _rounded(high),
            f"{judge.policy.id}/{category.id}" if category is not None else "",
            category.title if category is not None else "",
            category.severity if category is not None else "none",
            category.direction if category is not None else None,
        )
        if found and found[-1].rule == band.rule:
            band = Band(found.pop().low, band.high, band.rule, band.title, band.severity, band.direction)
        found.append(band)
    return found


def _rounded(bound: float | None) -> float | None:
    return round(bound, _DIGITS) if bound is not None else None
