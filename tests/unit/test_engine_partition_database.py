"""A table's local data: an error says what to do, and what is damaged is built anew without a hand."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bp_faust.engine import disk
from bp_faust.engine.application import App
from bp_faust.engine.errors import StateError
from bp_faust.engine.state import StateStore

KEYS = [b"reading/%06d" % number for number in range(20_000)]


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[Callable[[], StateStore]]:
    """Give a function that makes the store of a table whose data lie in one directory; all are closed in the end."""
    stores = []

    def make() -> StateStore:
        app = App("test", datadir=tmp_path, web_enabled=False)
        store = app.state_table("table", decode=lambda key, value: value).store
        stores.append(store)
        store._open(0)
        return store

    yield make
    for store in stores:
        if store.has(0):
            store._close(0)


def files(store: StateStore, pattern: str) -> list[Path]:
    found = list(store._path(0).glob(pattern))
    assert found
    return found


def filled(store: StateStore) -> StateStore:
    store.write(0, {key: os.urandom(100) for key in KEYS}, 100)
    store._databases[0].flush()
    return store


@pytest.mark.parametrize("pattern", ["MANIFEST-*", "CURRENT", "*.sst"])
@pytest.mark.parametrize("share", [0, 0.5, None], ids=["emptied", "cut off", "gone"])
def test_data_that_a_full_disk_left_damaged_are_rebuilt(
    make_store: Callable[[], StateStore], pattern: str, share: float | None
) -> None:
    store = filled(make_store())
    store._close(0)
    for path in files(store, pattern):
        if share is None:
            path.unlink()
        else:
            os.truncate(path, int(path.stat().st_size * share))
    again = make_store()
    assert again.position(0) == 0
    again.write(0, {b"key": b"value"}, 1)
    assert again.get_many(0, [b"key"]) == [b"value"]


def get_all(store: StateStore) -> object:
    return store.get_many(0, KEYS)


def scan_all(store: StateStore) -> object:
    return list(store.scan(0, b"reading/"))


@pytest.mark.parametrize("read", [get_all, scan_all])
def test_damage_found_in_use_is_an_error_and_is_rebuilt_next_time(
    make_store: Callable[[], StateStore], read: Callable[[StateStore], object]
) -> None:
    store = filled(make_store())
    store._close(0)
    for path in files(store, "*.sst"):
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            file.write(bytes(10_000))
    again = make_store()
    with pytest.raises(StateError, match="damaged"):
        read(again)
    again._close(0)
    assert make_store().position(0) == 0


def test_a_write_that_cannot_reach_the_disk_is_an_error(make_store: Callable[[], StateStore]) -> None:
    store = make_store()
    shutil.rmtree(store._path(0))
    with pytest.raises(StateError, match="start the worker again"):
        for number in itertools.count():
            store.write(0, {key: os.urandom(100) for key in KEYS}, number)
    store._close(0)


def test_changes_that_cannot_be_flushed_do_not_keep_a_store_from_closing(make_store: Callable[[], StateStore]) -> None:
    store = make_store()
    store.write(0, {b"key": b"value"}, 1)
    shutil.rmtree(store._path(0))
    store._close(0)
    assert make_store().position(0) == 0


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
