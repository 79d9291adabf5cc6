"""Read the settings from the environment; what is wrong with them ends the program with a line for each."""

from __future__ import annotations

import os
from typing import Any

from pydantic import ValidationError

from bp_faust.clinical.judges import Judges
from bp_faust.clinical.policy import PolicyError
from bp_faust.engine.log_lines import error_line
from bp_faust.settings.fields import FAUST_SETTINGS, Settings
from bp_faust.settings.secret_files import SecretFileError, is_secret
from bp_faust.simulation import Scenario, ScenarioError
from bp_faust.simulation.scenarios import find_scenario


def read_settings() -> Settings:
    """Return the settings in force; end the program with a line for each one that is wrong, Faust's too."""
    _check_faust_settings()
    try:
        return Settings()
    except ValidationError as exc:
        wrong = (_wrong(str(error["loc"][0]), error["input"], _message(error)) for error in exc.errors())
        raise SystemExit("\n".join(map(told_in_form, wrong))) from exc
    except SecretFileError as exc:
        raise SystemExit(told_in_form(str(exc))) from exc


def told_in_form(text: str) -> str:
    """Return the line that tells why the program ends, in the form of the log; that may be before settings are read."""
    return error_line(text, "json" if os.environ.get("BP_FAUST_LOG_FORMAT") == "json" else "console")


def _check_faust_settings() -> None:
    """Check the numbers: Faust would end with a stack trace."""
    for name, (default, _) in FAUST_SETTINGS.items():
        value = os.environ.get(f"BP_FAUST_{name}")
        try:
            type(default)(value or default)
        except ValueError as exc:
            raise SystemExit(
                told_in_form(f"BP_FAUST_{name} is {value!r}, and must be a number like {default}.")
            ) from exc


def read_judges(settings: Settings) -> Judges:
    """Return how readings are judged; end the program with a line that says what is wrong with a policy."""
    try:
        return settings.judges()
    except PolicyError as exc:
        raise SystemExit(told_in_form(str(exc))) from exc


def read_scenario(settings: Settings) -> Scenario:
    """Return what is simulated; end the program with a line that says what is wrong with a scenario."""
    try:
        return find_scenario(settings.simulation_scenario)
    except ScenarioError as exc:
        raise SystemExit(told_in_form(str(exc))) from exc


def _message(error: Any) -> str:
    if error["type"] == "too_short":  # pydantic speaks of items of a secret
        return f"it must be {error['ctx']['min_length']} characters or more"
    return str(error["msg"])


def _wrong(name: str, value: object, message: str) -> str:
    shown = "set" if is_secret(Settings.model_fields[name]) else repr(value)
    return f"BP_FAUST_{name.upper()} is {shown}, but: {message.removeprefix('Value error, ')}."
