"""A table's local data: an error says what to do, and what is damaged is built anew without a hand."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bp_faust.engine import disk
from bp_faust.engine.errors import StateError
from bp_faust.engine.partition_database import PartitionDatabase, new_block_cache

KEYS = [b"reading/%06d" % number for number in range(20_000)]


Open = Callable[[], PartitionDatabase]


@pytest.fixture
def open_database(tmp_path: Path) -> Open:
    """Give a function that opens the database of one directory."""
    return lambda: PartitionDatabase(tmp_path / "table-0.rocksdb", new_block_cache())


def files(database: PartitionDatabase, pattern: str) -> list[Path]:
    found = list(database._path.glob(pattern))
    assert found
    return found


def filled(database: PartitionDatabase) -> PartitionDatabase:
    database.write({key: os.urandom(100) for key in KEYS}, 100)
    database._rocksdb.flush()
    return database


@pytest.mark.parametrize("pattern", ["MANIFEST-*", "CURRENT", "*.sst"])
@pytest.mark.parametrize("share", [0, 0.5, None], ids=["emptied", "cut off", "gone"])
def test_data_that_a_full_disk_left_damaged_are_rebuilt(open_database: Open, pattern: str, share: float | None) -> None:
    database = filled(open_database())
    database.close()
    for path in files(database, pattern):
        if share is None:
            path.unlink()
        else:
            os.truncate(path, int(path.stat().st_size * share))
    again = open_database()
    assert again.position() == 0
    again.write({b"key": b"value"}, 1)
    assert again.get_many([b"key"]) == [b"value"]


def get_all(database: PartitionDatabase) -> object:
    return database.get_many(KEYS)


def scan_all(database: PartitionDatabase) -> object:
    return list(database.scan(b"reading/"))


@pytest.mark.parametrize("read", [get_all, scan_all])
def test_damage_found_in_use_is_an_error_and_is_rebuilt_next_time(
    open_database: Open, read: Callable[[PartitionDatabase], object]
) -> None:
    database = filled(open_database())
    database.close()
    for path in files(database, "*.sst"):
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            file.write(bytes(10_000))
    again = open_database()
    with pytest.raises(StateError, match="damaged"):
        read(again)
    again.close()
    assert open_database().position() == 0


def test_a_scan_is_in_order_and_shows_nothing_of_the_changelog_position(open_database: Open) -> None:
    database = open_database()
    database.write(dict.fromkeys((b"b/2", b"a/1", b"b/1", b"b/1/1", b"c"), b""), 1)
    assert [key for key, _ in database.scan()] == [b"a/1", b"b/1", b"b/1/1", b"b/2", b"c"]
    assert [key for key, _ in database.scan(b"b/")] == [b"b/1", b"b/1/1", b"b/2"]
    assert [key for key, _ in database.scan(b"b/", after=b"b/1")] == [b"b/1/1", b"b/2"]
    assert [key for key, _ in database.scan(after=b"b/2")] == [b"c"]
    database.close()


def test_a_write_that_cannot_reach_the_disk_is_an_error(open_database: Open) -> None:
    database = open_database()
    shutil.rmtree(database._path)
    with pytest.raises(StateError, match="start the worker again"):
        for number in itertools.count():
            database.write({key: os.urandom(100) for key in KEYS}, number)
    database.close()


def test_changes_that_cannot_be_flushed_do_not_keep_a_store_from_closing(open_database: Open) -> None:
    database = open_database()
    database.write({b"key": b"value"}, 1)
    shutil.rmtree(database._path)
    database.close()
    assert open_database().position() == 0


def test_a_full_disk_is_said_to_be_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.require_space(tmp_path)
    monkeypatch.setattr(disk, "RESERVE_BYTES", shutil.disk_usage(tmp_path).total)
    with pytest.raises(StateError, match=r"is full: \d+ MB are free, \d+ MB are needed"):
        disk.require_space(tmp_path)


def test_a_disk_that_cannot_be_looked_at_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="No such file"):
        disk.require_space(tmp_path / "gone")


def test_no_room_and_locks_are_no_damage() -> None:
    assert not disk.is_damage(Exception("IO error: No space left on device: While appending to file: 000010.sst"))
    assert not disk.is_damage(Exception("IO error: While lock file: LOCK: Resource temporarily unavailable"))
