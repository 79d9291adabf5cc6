"""Turn the bytes of a record into a JSON object, in bounded time and memory."""

from __future__ import annotations

import codecs
import json
import zlib
from decimal import Decimal

import msgspec

from bp_faust.fhir.reasons import Reason
from bp_faust.fhir.refusals import RefusedError

_GZIP_MAGIC = b"\x1f\x8b"
#: zlib's sign for the gzip format with the largest window.
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_LONGEST_NUMBER = 1000
#: Each member copies what follows it, so that very many would take endless time; block-wise gzip needs 160 for 10 MB.
_MOST_GZIP_MEMBERS = 200


class NotANumber:
    """Stand for what JSON's grammar, or a sender's idea of it, calls a number and is none: NaN, Infinity, overlong."""


NOT_A_NUMBER = NotANumber()


def unwrap(raw: bytes, max_bytes: int) -> bytes:
    """Return the JSON text of a record, unzipped and without byte order mark; raise RefusedError."""
    if len(raw) > max_bytes:
        raise RefusedError(Reason.TOO_LARGE, "")
    if raw.startswith(_GZIP_MAGIC):
        raw = _unzip(raw, max_bytes)
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if not raw.strip():
        raise RefusedError(Reason.EMPTY, "")
    return raw


def _unzip(raw: bytes, max_bytes: int) -> bytes:
    text = bytearray()
    members = 0
    while raw:
        members += 1
        if members > _MOST_GZIP_MEMBERS:
            raise RefusedError(Reason.TOO_LARGE, "", "The record consists of too many gzip members.")
        unzip = zlib.decompressobj(_GZIP_WINDOW)
        try:
            text += unzip.decompress(raw, max_bytes + 1 - len(text))
        except zlib.error as error:
            raise RefusedError(Reason.GZIP_BROKEN, "") from error
        if len(text) > max_bytes:
            raise RefusedError(Reason.TOO_LARGE, "")
        if not unzip.eof:
            raise RefusedError(Reason.GZIP_BROKEN, "")
        raw = unzip.unused_data.lstrip(b"\0")
    return bytes(text)


def decode(raw: bytes) -> dict[str, object]:
    """Return the object that a JSON text holds, its fractions as Decimal; raise RefusedError.

    NaN and Infinity, which Python's own encoder writes, and numbers of absurd length become NOT_A_NUMBER, so that the
    refusal can name the place.
    """
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(Reason.NOT_UTF8, "") from error
    try:
        document = _decode(raw)
    except RecursionError as error:
        raise RefusedError(Reason.TOO_DEEP, "") from error
    except ValueError as error:
        raise RefusedError(Reason.NOT_JSON, "") from error
    if not isinstance(document, dict):
        raise RefusedError(Reason.SHAPE_INVALID, "", "The record is JSON but not an object.")
    return document


def _decode(raw: bytes) -> object:
    try:
        return _strict.decode(raw)
    except msgspec.ValidationError:
        pass  # The one thing it validates without a type is that integers are not overlong.
    except msgspec.DecodeError:
        if b"NaN" not in raw and b"Infinity" not in raw:
            raise
    return json.loads(raw, parse_float=_number, parse_int=_number, parse_constant=lambda _: NOT_A_NUMBER)


def _number(text: str) -> Decimal | NotANumber:
    if len(text) > _LONGEST_NUMBER:
        return NOT_A_NUMBER
    try:
        return Decimal(text)
    except ArithmeticError:
        return NOT_A_NUMBER


_strict = msgspec.json.Decoder(float_hook=_number)
