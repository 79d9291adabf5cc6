"""Describe dead letters as JSON, for those who look at them by command or over HTTP."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from bp_faust.clinical.times import timestamp
from bp_faust.dead_letters.topic import Found


def when(milliseconds: int) -> str:
    """Return Kafka's time of a record as ISO 8601 in UTC."""
    return timestamp(milliseconds / 1000)


def described(found: Found) -> dict[str, Any]:
    """Return where a letter's record came from, when, and why it was refused."""
    place, letter = found
    return {
        "topic": letter.origin.topic,
        "partition": letter.origin.partition,
        "offset": letter.origin.offset,
        "received": when(letter.origin.timestamp),
        "refused": when(place.timestamp),
        "reasons": [msgspec.to_builtins(rejection) for rejection in letter.rejections],
        "rejections": letter.rejected,
        "bytes": len(letter.value or b""),
    }


def content(found: Found) -> dict[str, Any]:
    """Return key, value and headers as text, or in base64 where they are none."""
    letter = found.letter
    return {"key": text(letter.key), "value": text(letter.value), "headers": headers(found)}


def headers(found: Found) -> list[list[Any]]:
    """Return the record's own headers, as name and content each."""
    return [[name, text(value)] for name, value in found.letter.headers]


def text(value: bytes | None) -> str | dict[str, str] | None:
    """Return bytes as text, or in base64 where they are none."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
