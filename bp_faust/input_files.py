"""Read files of FHIR resources: one a line, or one in the whole file; gzipped or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import orjson


class InputFileError(Exception):
    """Say that a file cannot be read or written, and why."""


def read_resources(path: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    """Yield each resource of a file as its bytes; ``progress`` is told how many bytes of the file have been read.

    A file whose first line is not a whole JSON value is taken to be one value over many lines. Raises InputFileError
    where the file cannot be read, or is empty.
    """
    is_empty = True
    try:
        with path.open("rb") as file:
            content: IO[bytes] = file
            if file.read(2) == b"\x1f\x8b":
                file.seek(0)
                content = cast(IO[bytes], gzip.GzipFile(fileobj=file))
            else:
                file.seek(0)
            for value in _values(content, lambda: progress(file.tell())):
                is_empty = False
                yield value
    except (OSError, EOFError, zlib.error) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise InputFileError(f"{path} cannot be read: {reason.rstrip('.')}.") from exc
    if is_empty:
        raise InputFileError(f"{path} is empty: name a file of FHIR resources, Bundles or envelopes, one a line.")


def _values(content: IO[bytes], advance: Callable[[], None]) -> Iterator[bytes]:
    first = True
    for line in content:
        value = line.strip()
        advance()
        if not value:
            continue
        if first and not _is_json(value):
            yield value + b"\n" + content.read()
            advance()
            return
        first = False
        yield value


def _is_json(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True
