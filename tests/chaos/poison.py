"""Make bad records of good ones, and know for each why it must be refused."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import orjson

#: How long a record may be where these are sent, in bytes: more than any good one.
MOST_BYTES = 4096

Json = dict[str, Any]


class Record(NamedTuple):
    """Hold what a record was made of, its bytes, and why it must be refused; None where it must not."""

    envelope: Json
    value: bytes
    reason: str | None


def _with(envelope: Json, **members: Any) -> bytes:
    """Return an envelope whose Observation has other members."""
    return orjson.dumps({**envelope, "observation": {**envelope["observation"], **members}})


def _with_quantity(envelope: Json, **members: Any) -> bytes:
    """Return an envelope whose systolic Quantity has other members."""
    changed = copy.deepcopy(envelope["observation"]["component"])
    changed[0]["valueQuantity"].update(members)
    return _with(envelope, component=changed)


def _without_patient(envelope: Json) -> bytes:
    observation = {name: member for name, member in envelope["observation"].items() if name != "subject"}
    return orjson.dumps({"observation": observation})


#: Twelve ways for a record to be bad, by the reason code that is due.
WAYS: dict[str, Callable[[Json], bytes]] = {
    "empty": lambda envelope: b"",
    "too-large": lambda envelope: _with(envelope, note=[{"text": "x" * MOST_BYTES}]),
    "not-utf8": lambda envelope: _with(envelope, note=[{"text": "Müller"}]).decode().encode("latin-1"),
    "not-json": lambda envelope: orjson.dumps(envelope)[:-20],
    "shape-invalid": lambda envelope: _with(envelope, component="140/90"),
    "resource-unsupported": lambda envelope: orjson.dumps(envelope["patient"]),
    "not-blood-pressure": lambda envelope: _with(
        envelope, code={"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}, component=None
    ),
    "status-unknown": lambda envelope: _with(envelope, status="done"),
    "patient-missing": _without_patient,
    "value-not-numeric": lambda envelope: _with_quantity(envelope, value="high"),
    "unit-unknown": lambda envelope: _with_quantity(envelope, unit="stone", code="[stone_av]"),
    "time-invalid": lambda envelope: _with(envelope, effectiveDateTime="yesterday"),
}


def records_of(envelopes: Iterable[Json], bad: float, seed: int) -> Iterator[Record]:
    """Yield one record for each envelope; a share of them is bad, in each of the ways in turn."""
    chance = random.Random(seed)
    ways = itertools.cycle(WAYS.items())
    for envelope in envelopes:
        if chance.random() < bad:
            reason, spoil = next(ways)
            yield Record(envelope, spoil(envelope), reason)
        else:
            yield Record(envelope, orjson.dumps(envelope), None)
