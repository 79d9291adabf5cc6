"""Tell which settings are in force, and where they came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr
from yarl import URL

from bp_faust.settings.fields import FAUST_SETTINGS, Settings


def settings_in_force(own: Settings, conf: Any) -> list[dict[str, str]]:
    """Return name, value and origin of our settings, and of Faust's that the reference lists or that are set."""
    # Ours are found whatever their case, as pydantic-settings does.
    given = {name.upper(): text for name, text in os.environ.items() if text}
    values = {f"BP_FAUST_{name}".upper(): getattr(own, name) for name in Settings.model_fields}
    for parameter in conf.SETTINGS.values():
        variable = f"BP_FAUST_{parameter.env_name}"
        if parameter.env_name in FAUST_SETTINGS or variable in given:
            values[variable] = getattr(conf, parameter.name)
    return [
        {"name": name, "value": _shown(value), "from": _origin(name, value, given)}
        for name, value in sorted(values.items())
    ]


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        separator = ";" if value and isinstance(value[0], URL) else ","
        return separator.join(_shown(part) for part in value)
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    if "://" in text and URL(text).password:
        return str(URL(text).with_password("hidden"))
    return text


def _origin(variable: str, value: object, environment: Mapping[str, str]) -> str:
    if variable in environment:
        return "environment"
    if isinstance(value, SecretStr) and f"{variable}_FILE" in environment:
        return f"file {environment[f'{variable}_FILE']}"
    return "default"
