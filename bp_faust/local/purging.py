"""Delete what the local stack leaves on a machine: its data, and what it fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from bp_faust.local import downloads
from bp_faust.local.errors import DataInUseError, LocalStackError

#: What stacks keep in their data directory.
_DATA = ("kafka", "kafka-zookeeper", "zookeeper", "elasticsearch")


def purge(data_dir: Path, cache_dir: Path, others: Iterable[Path] = ()) -> int:
    """Delete a stack's data, all that was fetched, and others; return how many bytes that were.

    Nothing else in those folders is touched; they themselves go where they are empty then. Raises DataInUseError
    while a stack uses one of them, LocalStackError where something cannot be deleted.
    """
    lock = FileLock(data_dir / "in-use.lock", timeout=0)
    held = None
    try:
        if data_dir.is_dir():
            lock.acquire()
        held = downloads.hold(cache_dir, alone=True)
        freed = sum(map(_delete, [*(data_dir / name for name in _DATA), *others, *downloads.parts(cache_dir)]))
    except Timeout as exc:
        raise DataInUseError(f"A stack runs on {data_dir}: end it first.") from exc
    except OSError as exc:
        raise LocalStackError(f"{exc.filename} cannot be deleted ({exc.strerror}): do it as a user who may.") from exc
    finally:
        lock.release()
        if held is not None:
            held.close()
    Path(lock.lock_file).unlink(missing_ok=True)
    for folder in (data_dir, data_dir.parent, cache_dir):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return freed


def _delete(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        # What is linked to lies elsewhere, and counts there.
        size = sum(part.lstat().st_size for part in path.rglob("*") if part.is_file() and not part.is_symlink())
        shutil.rmtree(path)
        return size
    size = path.lstat().st_size if path.exists() else 0
    path.unlink(missing_ok=True)
    return size
