"""Every threshold of every policy, one below and one above, as the guideline's table has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bp_faust.clinical.judgement import Circumstances, Judge, judge
from bp_faust.clinical.policies import POLICIES, find_policy
from bp_faust.clinical.policy import PolicyError, read_policy

JUDGES = {name: Judge(policy) for name, policy in POLICIES.items()}

#: Whelton 2018, table 6, and Jones 2025, table 4: the same rows.
AHA = [
    (119, 79, "normal"),
    (120, 79, "elevated"),
    (129, 79, "elevated"),
    (129.9, 79.9, "elevated"),
    (119, 80, "stage-1"),
    (129, 80, "stage-1"),
    (130, 79, "stage-1"),
    (139, 89, "stage-1"),
    (139.9, 89.9, "stage-1"),
    (140, 79, "stage-2"),
    (139, 90, "stage-2"),
    (180, 120, "stage-2"),
    (181, 120, "severe"),
    (180, 121, "severe"),
    (180.1, 100, "severe"),
    (185, 125, "severe"),
    (90, 60, "normal"),
    (89, 60, "hypotension"),
    (90, 59, "hypotension"),
]
#: McEvoy 2024, tables 5 and 6 (office).
ESC = [
    (119, 69, "non-elevated"),
    (120, 69, "elevated"),
    (119, 70, "elevated"),
    (139, 89, "elevated"),
    (140, 89, "hypertension"),
    (139, 90, "hypertension"),
    (179, 109, "hypertension"),
    (180, 109, "severe"),
    (179, 110, "severe"),
    (90, 60, "non-elevated"),
    (89, 60, "hypotension"),
    (90, 59, "hypotension"),
]
#: McEvoy 2024, table 6 (home).
ESC_AT_HOME = [
    (119, 69, "non-elevated"),
    (120, 69, "elevated"),
    (119, 70, "elevated"),
    (134, 84, "elevated"),
    (135, 84, "hypertension"),
    (134, 85, "hypertension"),
]
#: Mancia 2023, table 2 (office).
ESH = [
    (119, 79, "optimal"),
    (120, 79, "normal"),
    (119, 80, "normal"),
    (129, 84, "normal"),
    (130, 84, "high-normal"),
    (129, 85, "high-normal"),
    (139, 89, "high-normal"),
    (140, 85, "grade-1"),
    (135, 90, "grade-1"),
    (159, 99, "grade-1"),
    (160, 99, "grade-2"),
    (159, 100, "grade-2"),
    (179, 109, "grade-2"),
    (180, 109, "grade-3"),
    (179, 110, "grade-3"),
    (90, 60, "optimal"),
    (89, 60, "hypotension"),
    (90, 59, "hypotension"),
]
#: Mancia 2023, the threshold for hypertension in home measurements.
ESH_AT_HOME = [(134, 84, "high-normal"), (135, 84, "hypertension-at-home"), (134, 85, "hypertension-at-home")]
#: The seed's consumer.
SEED = [
    (140, 90, "normal"),
    (141, 90, "hypertension"),
    (140, 91, "hypertension"),
    (90, 60, "normal"),
    (89, 60, "hypotension"),
    (90, 59, "hypotension"),
    (150, 55, "hypertension"),
]
#: ACOG Practice Bulletin 222.
PREGNANCY = [(159, 109, False), (160, 109, True), (159, 110, True)]

HOME = Circumstances(setting="home")


@pytest.mark.parametrize(
    ("policy", "circumstances", "systolic", "diastolic", "category"),
    [
        (policy, circumstances, *row)
        for policy, circumstances, rows in (
            ("aha-2017", Circumstances(), AHA),
            ("aha-2025", Circumstances(), AHA),
            ("esc-2024", Circumstances(), ESC),
            ("esc-2024", HOME, ESC_AT_HOME),
            ("esh-2023", Circumstances(), ESH),
            ("esh-2023", HOME, ESH_AT_HOME),
            ("seed", Circumstances(), SEED),
        )
        for row in rows
    ],
)
def test_categories_are_the_guidelines(
    policy: str, circumstances: Circumstances, systolic: float, diastolic: float, category: str
) -> None:
    assert JUDGES[policy].judge(systolic, diastolic, circumstances).category == category


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"seed"}))
@pytest.mark.parametrize(("systolic", "diastolic", "severe"), PREGNANCY)
def test_from_160_or_110_on_a_pregnant_woman_is_in_danger(
    policy: str, systolic: float, diastolic: float, severe: bool
) -> None:
    found = JUDGES[policy].judge(systolic, diastolic, Circumstances(pregnant=True))
    assert (found.category == "severe-in-pregnancy") is severe
    if severe:
        assert found.findings[0].severity == "severe"
        assert "ACOG" in found.findings[0].citation or "doi:10.1097/AOG" in found.findings[0].citation


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"seed"}))
def test_a_child_is_never_judged_by_the_adults_rule(policy: str) -> None:
    child = JUDGES[policy].judge(150, 100, Circumstances(age=12))
    assert (child.category, child.findings) == ("not-classifiable", ())
    assert JUDGES[policy].judge(150, 100, Circumstances(age=13)).findings
    assert JUDGES["seed"].judge(150, 100, Circumstances(age=12)).anomaly_type == "Hypertension"


def test_systolic_and_diastolic_findings_are_independent() -> None:
    found = JUDGES["aha-2017"].judge(150, 55)
    assert [(finding.rule, finding.pressures) for finding in found.findings] == [
        ("aha-2017/stage-2", ("systolic",)),
        ("aha-2017/hypotension", ("diastolic",)),
    ]
    assert all(finding.citation and finding.policy == "aha-2017" for finding in found.findings)


def test_the_higher_category_wins_and_isolated_hypertension_stands_beside_its_grade() -> None:
    found = JUDGES["esh-2023"].judge(162, 85)
    assert [finding.rule for finding in found.findings] == ["esh-2023/grade-2", "esh-2023/isolated-systolic"]
    assert JUDGES["esh-2023"].judge(130, 95).findings[-1].rule == "esh-2023/isolated-diastolic"
    assert len(JUDGES["esh-2023"].judge(162, 95).findings) == 2  # two grades, nothing isolated
    assert [finding.rule for finding in JUDGES["esh-2023"].judge(162, None).findings] == ["esh-2023/grade-2"]


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_one_pressure_alone_is_judged(policy: str) -> None:
    assert JUDGES[policy].judge(200, None).findings[0].pressures == ("systolic",)
    assert JUDGES[policy].judge(None, 40).findings[0].pressures == ("diastolic",)
    assert JUDGES[policy].judge(115, None).findings == ()


pressures = st.none() | st.integers(0, 400) | st.floats(0, 400)


@given(
    policy=st.sampled_from(sorted(POLICIES)),
    systolic=pressures,
    diastolic=pressures,
    circumstances=st.builds(
        Circumstances,
        age=st.none() | st.integers(0, 110),
        setting=st.sampled_from(["office", "home"]),
        pregnant=st.booleans(),
    ),
)
def test_the_grid_answers_what_the_policy_says(
    policy: str, systolic: float | None, diastolic: float | None, circumstances: Circumstances
) -> None:
    if systolic is None and diastolic is None:
        return
    expected = judge(POLICIES[policy], systolic, diastolic, circumstances)
    assert JUDGES[policy].judge(systolic, diastolic, circumstances) == expected


@given(systolic=pressures, diastolic=pressures)
def test_the_seeds_policy_is_the_seeds_rule(systolic: float | None, diastolic: float | None) -> None:
    expected = None
    if (systolic is not None and systolic > 140) or (diastolic is not None and diastolic > 90):
        expected = "Hypertension"
    elif (systolic is not None and systolic < 90) or (diastolic is not None and diastolic < 60):
        expected = "Hypotension"
    if systolic is not None or diastolic is not None:
        assert JUDGES["seed"].judge(systolic, diastolic).anomaly_type == expected


OWN = """\
id: own
title: Ours
version: "1"
citation: The ward's own rule.
categories:
  - id: high
    title: High
    severity: severe
    direction: high
    when:
      - systolic: ">=150"
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("severity: severe", "severity: huge", "own.yaml, line 8: Invalid enum value 'huge'."),
        (">=150", ">=150 <100", "own.yaml, line 11: '>=150 <100' holds no number; write bounds such as `>=130 <140`."),
        ('">=150"', "150", "own.yaml, line 11: 150 is no interval; write bounds such as `>=130 <140`."),
        ("systolic", "sistolic", "own.yaml, line 11: Object contains unknown field `sistolic`."),
        ("    direction: high\n", "", "own.yaml, line 6: Category 'high' needs a `direction`, as its severity is"),
        ("id: high", "id: High Pressure", "own.yaml, line 6: The id 'High Pressure' is not made of small letters"),
        ("title: Ours", "title: [", "own.yaml, line 4: "),
        ("title: Ours\n", "", "own.yaml, line 1: Object missing required field `title`."),
        ('version: "1"', "version: 2026-02-30", "own.yaml: day is out of range for month."),
        (
            '- systolic: ">=150"',
            '- {systolic: ">=150", systolic: "<170"}',
            "own.yaml, line 11: `systolic` stands here for the second time.",
        ),
        ("categories:", "alerts: {within_hours: .nan}\ncategories:", "own.yaml, line 5: A time is negative, or no"),
        ("categories:", "alerts: {readings: 4, of: 3}\ncategories:", "own.yaml, line 5: `readings` is not between"),
    ],
)
def test_a_mistake_in_a_policy_is_told_with_its_line(old: str, new: str, message: str) -> None:
    assert read_policy(OWN, "own.yaml").id == "own"
    assert old in OWN
    with pytest.raises(PolicyError) as caught:
        read_policy(OWN.replace(old, new), "own.yaml")
    assert str(caught.value).startswith(message)


def test_a_policy_is_found_by_its_name_or_by_the_path_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    assert find_policy("esc-2024") is POLICIES["esc-2024"]
    assert find_policy(str(file)).id == "own"
    with pytest.raises(PolicyError, match=", ".join(POLICIES)):
        find_policy("esc-2042")
    with pytest.raises(PolicyError, match="cannot be read"):
        find_policy(str(tmp_path / "missing.yaml"))
