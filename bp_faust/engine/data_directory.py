"""Keep a worker's data directory to itself."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from .errors import StateError

_LOCK = "in-use.lock"


def lock_data_directory(path: Path) -> FileLock:
    """Make a data directory and lock it; the lock is gone with the process, or when it is released.

    Raises StateError where the directory cannot be made or written to, or another worker has it.
    """
    # Who looks whether it is in use holds the lock for a moment.
    lock = FileLock(path / _LOCK, timeout=1)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as exc:
        raise StateError(
            f"The data directory {path} is in use by another worker: give each worker its own BP_FAUST_DATADIR."
        ) from exc
    except OSError as exc:
        raise StateError(
            f"The data directory {path} cannot be made or written to ({exc.strerror}): set BP_FAUST_DATADIR to one "
            "that this user may write."
        ) from exc
    return lock


def is_in_use(path: Path) -> bool:
    """Tell whether a worker has a data directory; raise StateError where that cannot be found out."""
    lock = path / _LOCK
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError as exc:
        raise StateError(
            f"The data directory {path} cannot be written to ({exc.strerror}): set BP_FAUST_DATADIR to one that this "
            "user may write."
        ) from exc
