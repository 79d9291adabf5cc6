"""Encode what we keep and send among ourselves: a version byte, then MessagePack.

A later version of the program reads an older one's records by their first byte. To read one without this program, drop
that byte and decode the rest as MessagePack: structures are arrays of their fields, in the order of ``models``.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class UnknownVersionError(ValueError):
    """Say that a record was written by a version of the program that this one does not know."""


class Versioned(Generic[T]):
    """Encode and decode values of one type behind a version byte."""

    def __init__(self, kind: Any, *, version: int = 1) -> None:
        self._kind = kind
        self._prefix = bytes([version])
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)

    def encode(self, value: T) -> bytes:
        """Return the version byte and the value's MessagePack."""
        return self._prefix + self._encoder.encode(value)

    def decode(self, data: bytes) -> T:
        """Return the value; raise UnknownVersionError for a version that is not known here."""
        if data.startswith(self._prefix):
            return self._decoder.decode(memoryview(data)[1:])
        raise UnknownVersionError(
            f"A record of {self._kind} has version {data[:1].hex() or 'none'}, which this version of bp_faust does not "
            "know: it was written by a newer one. Upgrade this worker, or give it an application id of its own."
        )
