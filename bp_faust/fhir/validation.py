"""Hold an Observation against fhir.resources, the full model of FHIR."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

_NAME = re.compile(r"[A-Za-z_]{1,40}")
_MOST_PROBLEMS = 3
_UNKNOWN_ELEMENT = "extra_forbidden"


@lru_cache(maxsize=1)
def _models() -> tuple[type[BaseModel], ...]:
    # They take seconds to load, and a clean stream never needs them.
    from fhir.resources.observation import Observation as R5
    from fhir.resources.R4B.observation import Observation as R4B

    return R4B, R5


class Problem(NamedTuple):
    """Say where an Observation is invalid, below its own path, and by which kind of rule of pydantic's."""

    path: str
    kind: str


def problems(observation: dict[str, object]) -> list[Problem]:
    """Return why an Observation is valid neither in R4 (as R4B) nor in R5, without any of its content.

    Nothing is returned for one that is valid; of many problems the first few are.
    """
    from pydantic import ValidationError

    found: list[Problem] = []
    for model in _models():
        try:
            model.model_validate(_plain(observation))
        except ValidationError as error:
            found = found or _described(error)
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError):
            # The models' own validators were not written for every shape that JSON can have.
            found = found or [Problem("", "unreadable")]
        else:
            return []
    return found


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | bool | int | Decimal) else "NaN"


def _described(error: ValidationError) -> list[Problem]:
    described: list[Problem] = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        location = problem["loc"][:-1] if problem["type"] == _UNKNOWN_ELEMENT else problem["loc"]
        path = ""
        for part in location:
            if isinstance(part, int):
                path += f"[{part}]"
            else:
                path += f".{part}" if _NAME.fullmatch(part) else ".*"
        described.append(Problem(path.lstrip("."), problem["type"]))
    return list(dict.fromkeys(described))[:_MOST_PROBLEMS]
