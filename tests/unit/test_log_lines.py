"""How lines of the log look: one form for all, and no more in them than was meant for it."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any

import pytest

from bp_faust.engine.log_lines import error_line, line_formatter
from bp_faust.engine.log_privacy import record_factory

CANARY = "CanaryDoe"


def record(event: str, *args: Any, level: int = logging.INFO, exc_info: Any = None, **fields: Any) -> logging.LogRecord:
    """Return a record as a logger makes it while data are kept out of the log."""
    made = record_factory((), debugging=False)("aiokafka.x", level, "x.py", 1, event, args, exc_info)
    made.__dict__.update(fields)
    return made


def raised() -> Any:
    patient = f"{CANARY}-local"
    try:
        float(patient)
    except ValueError:
        return sys.exc_info()


def test_json_is_one_object_a_line_with_the_fields_that_are_known() -> None:
    line = line_formatter("json").format(record("%d of\n%s", 3, "these", topic="readings", offset=7, patient=CANARY))
    assert "\n" not in line
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", told.pop("timestamp"))
    assert told == {
        "event": "3 of these",
        "level": "info",
        "logger": "aiokafka.x",
        "topic": "readings",
        "offset": 7,
    }


@pytest.mark.parametrize("form", ["json", "console"])
def test_stack_traces_are_without_texts_and_variables(form: Any) -> None:
    line = line_formatter(form).format(record("It failed", level=logging.ERROR, exc_info=raised()))
    assert CANARY not in line
    assert "in raised" in line
    assert "ValueError: (its text may hold" in line
    if form == "json":
        assert json.loads(line)["exception"].startswith("Traceback (most recent call last):\n")


def test_for_people_a_line_says_when_in_utc_how_grave_what_and_where() -> None:
    line = line_formatter("console").format(record("Not ready", level=logging.WARNING, topic="readings", partition=3))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \[warning  \] Not ready \[aiokafka\.x\] partition=3 topic=readings", line
    )


def test_what_ends_a_program_is_told_in_the_form_of_the_log() -> None:
    assert error_line("this is wrong.", "console") == "Error: this is wrong."
    told = json.loads(error_line("this is wrong.", "json"))
    assert (told["level"], told["event"]) == ("error", "this is wrong.")
