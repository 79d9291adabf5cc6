"""What the README says of settings is what the program has."""

from pathlib import Path

from bp_faust.settings import settings_table

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_settings_table_is_the_programs() -> None:
    assert settings_table() in README
