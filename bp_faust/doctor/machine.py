"""Look at this machine: the data directory and its disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bp_faust.doctor.findings import Outcome
from bp_faust.engine.data_directory import is_in_use
from bp_faust.engine.disk import require_space
from bp_faust.engine.errors import StateError

#: Below this much free space, in bytes, it is time to make room.
_LITTLE_BYTES = 1 << 30


async def look_at_data_directory(path: Path) -> tuple[Outcome, str]:
    """Say whether a worker can keep its tables there; raise StateError where none can."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise StateError(
            f"{there} is no directory that this user may write, and the data directory is to be {path}: set "
            "BP_FAUST_DATADIR to one that is."
        )
    require_space(there)
    state = "in use by a worker" if is_in_use(path) else "free to use" if there == path else "made when a worker starts"
    free = shutil.disk_usage(there).free
    told = f"{path}, {state}, {free / 1e9:.1f} GB of its disk free"
    if free < _LITTLE_BYTES:
        return "warning", f"{told}: make room before it is full, when the worker ends."
    return "ok", f"{told}."
