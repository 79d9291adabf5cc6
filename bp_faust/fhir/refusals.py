"""Carry a refusal from where it is found to the door."""

from __future__ import annotations

from typing import TypeVar

from bp_faust.fhir.reasons import Reason
from bp_faust.models import Rejection

T = TypeVar("T")


class RefusedError(ValueError):
    """Say why something is no reading, and where; never holds the record's own content."""

    def __init__(self, reason: Reason, path: str, detail: str | None = None) -> None:
        """Keep the reason, a path as of ``Rejection.path`` and a sentence, else the reason's own."""
        super().__init__(detail or reason.meaning)
        self.reason = reason
        self.path = path
        self.detail = detail or reason.meaning

    def rejection(self) -> Rejection:
        """Return it as the plain data that is sent on."""
        return Rejection(self.reason.value, self.path or "$", self.detail)


def below(path: str, name: str) -> str:
    """Return the path of a member of what ``path`` names; the whole record's path is empty here."""
    return f"{path}.{name}" if path else name


def member(holder: dict[str, object], name: str, kind: type[T], path: str) -> T | None:
    """Return a member of a JSON object, None where it is absent or null.

    ``path`` is the holder's. Raises RefusedError where it is of another type.
    """
    value = holder.get(name)
    if value is None or isinstance(value, kind):
        return value
    raise RefusedError(Reason.SHAPE_INVALID, below(path, name))


def objects(holder: dict[str, object], name: str, path: str) -> list[dict[str, object]]:
    """Return the objects of a list in a JSON object, none where it is absent or null.

    ``path`` is the holder's. Raises RefusedError where it is no list of objects.
    """
    values = member(holder, name, list, path) or []
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            raise RefusedError(Reason.SHAPE_INVALID, f"{below(path, name)}[{index}]")
    return values
