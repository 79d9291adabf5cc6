"""Write the files that commands are asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bp_faust.input_files import InputFileError


@contextlib.contextmanager
def output_file(path: str) -> Iterator[BinaryIO]:
    """Open a file to write it anew; raise InputFileError where that cannot be done."""
    try:
        with Path(path).open("wb") as file:
            yield file
    except OSError as exc:
        raise InputFileError(f"{path} cannot be written ({exc.strerror}): choose another file.") from exc
