"""What the documents say of settings and reasons is what the program has."""

from pathlib import Path

from bp_faust.fhir import reason_table
from bp_faust.settings import settings_table

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text()


def test_the_settings_table_is_the_programs() -> None:
    assert settings_table() in README


def test_the_reason_codes_are_the_programs() -> None:
    assert reason_table() in (REPOSITORY / "docs/reason-codes.md").read_text()
