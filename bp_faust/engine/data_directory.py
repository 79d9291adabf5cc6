"""Keep a worker's data directory to itself."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from .errors import StateError


def lock_data_directory(path: Path) -> FileLock:
    """Make a data directory and lock it; the lock is gone with the process, or when it is released.

    Raises StateError where the directory cannot be made or written to, or another worker has it.
    """
    lock = FileLock(path / "in-use.lock", timeout=0)
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
