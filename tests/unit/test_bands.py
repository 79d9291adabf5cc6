"""A chart's bands say of every pressure what the policy says of it alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bp_faust.clinical.bands import Band, bands
from bp_faust.clinical.judgement import Circumstances, Judge, judge
from bp_faust.clinical.judges import with_thresholds
from bp_faust.clinical.policies import POLICIES
from bp_faust.clinical.policy import Pressure
from bp_faust.models import Thresholds

circumstances = st.builds(
    Circumstances, st.none() | st.integers(0, 100), st.sampled_from(["office", "home"]), st.booleans()
)


def band_of(found: list[Band], value: float) -> Band:
    (band,) = (one for one in found if (one.low is None or value >= one.low) and (one.high is None or value < one.high))
    return band


@given(
    st.sampled_from(sorted(POLICIES)), st.sampled_from(["systolic", "diastolic"]), circumstances, st.integers(1, 300)
)
def test_a_pressure_is_in_the_band_of_its_category(
    name: str, pressure: Pressure, circumstances: Circumstances, mmhg: int
) -> None:
    value = mmhg + 0.5  # not on a bound, which is rounded for the eye
    policy = POLICIES[name]
    found = bands(Judge(policy), pressure, circumstances)
    judged = judge(policy, *((value, None) if pressure == "systolic" else (None, value)), circumstances)
    band = band_of(found, value)
    assert band.rule == (f"{policy.id}/{judged.category}" if judged.category else "")
    assert [finding.rule for finding in judged.findings] in ([], [band.rule])
    assert (found[0].low, found[-1].high) == (None, None)
    assert all(before.high == after.low and before.rule != after.rule for before, after in pairwise(found))


def test_the_seeds_bands() -> None:
    found = [(band.low, band.high, band.title, band.direction) for band in bands(Judge(POLICIES["seed"]), "systolic")]
    assert found == [
        (None, 90, "Hypotension", "low"),
        (90, 140, "Normal", None),
        (140, None, "Hypertension", "high"),
    ]


@pytest.mark.parametrize("pressure", ["systolic", "diastolic"])
def test_a_patients_own_thresholds_take_the_place_of_the_policys(pressure: Pressure) -> None:
    own = Thresholds(systolic_above=150, systolic_below=100, diastolic_above=95, diastolic_below=55)
    found = bands(Judge(with_thresholds(POLICIES["aha-2017"], own)), pressure)
    edges = {band.high for band in found}
    assert ({100, 150} if pressure == "systolic" else {55, 95}) <= edges
    assert {"Above own threshold", "Below own threshold"} <= {band.title for band in found}
