"""A scenario is a file that people write: what it says holds, and a mistake is told with its line."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from bp_faust.simulation.scenario import ScenarioError, read_scenario
from bp_faust.simulation.scenarios import find_scenario, shipped
from tests.simulated import SHIPPED

DOCUMENT = Path(__file__).parents[2] / "docs/how-to/simulate-patients.md"

OWN = """id: own
title: Ours
setting: ward
people:
  - {condition: normal, count: 3}
  - condition: untreated
    count: 1
measure:
  at: ["06:30", 18:00]
errors: {mistyped: 0.5}
crises:
  - at: "15:00"
    lasts_minutes: 60
    systolic: 70
    diastolic: 40
    who: {share: 0.5}
treatments:
  - {from_day: 8}
"""


def test_the_shipped_scenarios_are_found_by_their_ids() -> None:
    assert shipped() == ["clinic", "quiet-ward", "treatment", "ward-crisis"]
    assert {name: scenario.id for name, scenario in SHIPPED.items()} == {name: name for name in shipped()}


def test_the_crisis_in_the_ward_is_at_15() -> None:
    assert [crisis.at.minutes for crisis in SHIPPED["ward-crisis"].crises] == [15 * 60]


def test_a_file_says_what_it_says() -> None:
    scenario = read_scenario(OWN, "own.yaml")
    assert [time.minutes for time in scenario.measure.at] == [390, 1080]
    assert scenario.crises[0].who.share == 0.5
    assert scenario.treatments[0].drugs == 1
    assert scenario.measure.every_days == 1


def test_the_first_day_is_a_date_with_or_without_quotation_marks() -> None:
    for written in ("2026-11-01", '"2026-11-01"'):
        assert read_scenario(f"{OWN}first_day: {written}\n", "own.yaml").first_day == date(2026, 11, 1)


def test_a_few_people_show_every_larger_group() -> None:
    conditions = read_scenario(OWN, "own.yaml").conditions()
    assert conditions is not None
    assert Counter(conditions) == {"normal": 3, "untreated": 1}
    clinic = SHIPPED["clinic"].conditions()
    assert clinic is not None
    assert set(clinic[:5]) >= {"normal", "treated", "untreated"}
    assert SHIPPED["quiet-ward"].conditions() is None


def test_a_file_is_found_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    assert find_scenario(str(file)).id == "own"


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(ScenarioError, match=r"no scenario 'crisis': name one of clinic, .*ward-crisis"):
        find_scenario("crisis")
    with pytest.raises(ScenarioError, match=r"nowhere\.yaml cannot be read"):
        find_scenario("nowhere.yaml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("setting: ward", "setting: street", "own.yaml, line 3: Invalid enum value 'street'."),
        ("condition: untreated", "condition: ill", "own.yaml, line 6: Invalid enum value 'ill'."),
        ("count: 1", "count: 0", "own.yaml, line 7: Expected `int` >= 1."),
        ("count: 1", "count: 1000000", "own.yaml, line 7: Expected `int` <= 1000."),
        ('"06:30"', '"6.30"', "own.yaml, line 9: '6.30' is no time of day; write one like `15:00`."),
        ('"06:30"', '"24:00"', "own.yaml, line 9: '24:00' is no time of day; write one like `15:00`."),
        ('["06:30", 18:00]', "[]", "own.yaml, line 9: There is no time at which anyone is measured."),
        ("mistyped: 0.5", "mistyped: 1.5", "own.yaml, line 10: Expected `float` <= 1.0."),
        ("mistyped: 0.5", "mistyped: 0.5, kilopascals: 0.6", "own.yaml, line 10: The shares of readings"),
        ("    systolic: 70\n", "", "own.yaml, line 12: Object missing required field `systolic`."),
        ("lasts_minutes: 60", "lasts_minutes: 3000", "own.yaml, line 13: Expected `int` <= 1440."),
        ("share: 0.5", "part: 0.5", "own.yaml, line 16: Object contains unknown field `part`."),
        ("{from_day: 8}", "{from_day: 0}", "own.yaml, line 18: Expected `int` >= 1."),
        ("id: own", "id: My Own", "own.yaml, line 1: The id 'My Own' is not made of small letters"),
        ("title: Ours\n", "", "own.yaml, line 1: Object missing required field `title`."),
        ("title: Ours", "title: [", "own.yaml, line 4: "),
        ("title: Ours", "title: Ours\nfirst_day: soon", "own.yaml, line 3: "),
        ("title: Ours", "title: Ours\nfirst_day: 2026-13-01", "own.yaml: month must be in 1..12."),
    ],
)
def test_a_mistake_in_a_scenario_is_told_with_its_line(old: str, new: str, message: str) -> None:
    assert old in OWN
    with pytest.raises(ScenarioError) as caught:
        read_scenario(OWN.replace(old, new, 1), "own.yaml")
    assert str(caught.value).startswith(message)


def test_the_documents_example_is_a_scenario() -> None:
    example = DOCUMENT.read_text().partition("```yaml")[2].partition("\n")[2].partition("```")[0]
    assert read_scenario(example, "simulate-patients.md").id == "ward-3"
