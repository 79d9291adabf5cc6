"""Tell a disk that is full from data that are damaged: the first needs a hand, the second only a rebuild."""

from __future__ import annotations

import shutil
from pathlib import Path

from .errors import StateError

#: How much must be free for a worker to go on, in bytes: RocksDB writes its buffers of 8 MB at once. A worker without
#: room would find out only at its next write, which with few readings may be hours later.
RESERVE_BYTES = 16 << 20


def require_space(directory: Path) -> None:
    """Raise StateError where the disk of a directory is full, or nearly so."""
    try:
        free = shutil.disk_usage(directory).free
    except OSError as exc:
        raise StateError(
            f"The data directory {directory} cannot be looked at ({exc.strerror}): check its disk, then start the "
            "worker again."
        ) from exc
    if free < RESERVE_BYTES:
        raise StateError(
            f"The disk of the data directory {directory} is full: {free >> 20} MB are free, {RESERVE_BYTES >> 20} MB "
            "are needed. Make room and start the worker again; nothing is lost."
        )


def is_damage(error: Exception) -> bool:
    """Tell whether RocksDB says that what it finds on disk is damaged, as it is after the power failed.

    Its other errors are of the disk itself: no room, no permission, a lock.
    """
    text = str(error)
    return text.startswith("Corruption") or ("No such file or directory" in text and "While lock file" not in text)
