"""Tell which settings are in force, and where they came from."""

from __future__ import annotations

import os
from typing import Any

from pydantic import SecretStr
from yarl import URL

from bp_faust.settings import FAUST_SETTINGS, Settings

#: Faust's settings whose name in the environment is not their attribute's.
_ATTRIBUTES = {"BROKER_URL": "broker"}


def settings_in_force(own: Settings, conf: Any) -> list[dict[str, str]]:
    """Return name, value and origin of our settings and of those of Faust's that README.md lists."""
    values = {name: getattr(own, name) for name in Settings.model_fields}
    values |= {name.lower(): getattr(conf, _ATTRIBUTES.get(name, name.lower())) for name in FAUST_SETTINGS}
    return [
        {"name": variable, "value": _shown(value), "from": _origin(variable, value)}
        for variable, value in ((f"BP_FAUST_{name}".upper(), value) for name, value in values.items())
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
    text = str(value)
    if "://" in text and URL(text).password:
        return str(URL(text).with_password("hidden"))
    return text


def _origin(variable: str, value: object) -> str:
    # Ours are found whatever their case, as pydantic-settings does.
    environment = {name.upper(): text for name, text in os.environ.items()}
    if environment.get(variable):
        return "environment"
    if isinstance(value, SecretStr) and environment.get(f"{variable}_FILE"):
        return f"file {environment[f'{variable}_FILE']}"
    return "default"
