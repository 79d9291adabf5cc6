"""Pass on, with what was made of readings, since when they have been under way: to time the way from end to end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bp_faust.dead_letters.letters import Header

_NAME = "bp_faust.since"

_Outgoing = tuple[bytes | None, bytes | None, list[Header]]


def put(records: Sequence[_Outgoing], since: float | None) -> Sequence[_Outgoing]:
    """Return records (key, value, headers) of which the first one says since when, in Unix seconds, where known."""
    if since is None or not records:
        return records
    key, value, headers = records[0]
    return [(key, value, [*headers, (_NAME, b"%d" % (since * 1000))]), *records[1:]]


def read(headers: Iterable[Iterable[Header]]) -> float | None:
    """Return the oldest time that the headers of some records say, in Unix seconds; None where none does."""
    found = [int(text) for of_one in headers for name, text in of_one if name == _NAME and text.isdigit()]
    return min(found) / 1000 if found else None
