"""A data directory belongs to one worker at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bp_faust.engine.data_directory import lock_data_directory
from bp_faust.engine.errors import StateError

_HOLD = """
import sys
from pathlib import Path
from bp_faust.engine.data_directory import lock_data_directory
lock = lock_data_directory(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_it_is_made_locked_and_free_again_once_its_worker_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(StateError, match="in use by another worker: give each worker its own BP_FAUST_DATADIR"):
            lock_data_directory(path)
        holder.kill()
        holder.wait()
    lock_data_directory(path).release()


def test_one_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"file/data cannot be made or written to .*: set BP_FAUST_DATADIR"):
        lock_data_directory(tmp_path / "file" / "data")
