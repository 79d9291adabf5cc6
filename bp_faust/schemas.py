"""Make JSON Schemas of our types, for documents that describe what we offer to programs."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


def schemas_of(types: Iterable[Any]) -> tuple[Mapping[Any, Any], dict[str, Any]]:
    """Return the schema of each type, and those they refer to as ``#/components/schemas/<name>``."""
    unique = list(dict.fromkeys(types))
    found, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
    for component in components.values():
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
    return dict(zip(unique, found, strict=True)), components
