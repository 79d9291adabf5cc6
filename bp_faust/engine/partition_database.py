"""Keep one partition of a table in RocksDB, changed only by whole batches that its changelog already holds."""

from __future__ import annotations

import contextlib
import shutil
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from mode.utils.logging import get_logger
from rocksdict import (
    BlockBasedOptions,
    Cache,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from .disk import is_damage
from .errors import StateError

logger = get_logger(__name__)

#: The key, before every application's, under which the changelog position is kept.
_POSITION_KEY = b"\0changelog-position"
_POSITION = struct.Struct(">q")

#: Where the application's keys begin.
_FIRST_KEY = b"\1"

#: Memory for RocksDB in bytes: one block cache for all partitions of a table, and a write buffer for each.
_BLOCK_CACHE_BYTES = 32 << 20
_WRITE_BUFFER_BYTES = 8 << 20


def new_block_cache() -> Cache:
    """Return a cache that the databases of a table's partitions share."""
    return Cache(_BLOCK_CACHE_BYTES)


class PartitionDatabase:
    """Hold the RocksDB database of one partition. Its methods raise StateError, which says what to do.

    The write-ahead log is off: the changelog is the log. RocksDB then forgets the last writes when the process is
    killed, but a batch always together with its changelog position, and recovery reads on from there.
    """

    def __init__(self, path: Path, block_cache: Cache) -> None:
        """Open the database at a path; it is made where it is missing, and made anew where it is damaged."""
        self._path = path
        self._is_damaged = False
        self._write_options = WriteOptions()
        self._write_options.disable_wal = True
        self._rocksdb = _opened(path, _options(block_cache))

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None where it is not there."""
        with self._telling():
            value: bytes | None = self._rocksdb.get(key)
        return value

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Return the values of keys, None for those that are not there."""
        with self._telling():
            values: list[bytes | None] = self._rocksdb.get(keys)
        return values

    def scan(self, prefix: bytes = b"", after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys that begin with a prefix, and their values, in order; only those after a key if it is given."""
        options = ReadOptions()
        if prefix:
            options.set_iterate_upper_bound(_after_prefix(prefix))
        # Not items(), which ends without a word where it meets damaged data.
        iterator = self._rocksdb.iter(options)
        try:
            # Nothing lies between a key and the same with a byte 0 behind it.
            iterator.seek(max(prefix, _FIRST_KEY if after is None else after + b"\0"))
            while iterator.valid():
                yield iterator.key(), iterator.value()
                iterator.next()
            with self._telling():
                iterator.status()
        finally:
            # An error's traceback would keep it, and with it the database open.
            del iterator

    def write(self, changes: Mapping[bytes, bytes | None], position: int) -> None:
        """Write a batch's changes together with the changelog position behind them, all or nothing."""
        batch = WriteBatch(raw_mode=True)
        put = batch.put
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                put(key, value)
        put(_POSITION_KEY, _POSITION.pack(position))
        with self._telling():
            self._rocksdb.write(batch, self._write_options)

    def position(self) -> int:
        """Return the changelog position that the data stand for: the offset to read next."""
        value = self.get(_POSITION_KEY)
        return 0 if value is None else int(_POSITION.unpack(value)[0])

    def close(self) -> None:
        """Close the database; what was written is then on disk, and what was found damaged is deleted."""
        try:
            self._rocksdb.close()
        except Exception as exc:
            logger.warning(
                "The last changes of %s could not be written to disk, and are read again from Kafka next time: %s",
                self._path,
                exc,
            )
        # It may not have closed; then it does when nobody refers to it.
        del self._rocksdb
        if self._is_damaged and self._path.exists():
            shutil.rmtree(self._path)

    def delete(self) -> None:
        """Close the database and delete its data; recovery builds them anew."""
        self._is_damaged = True
        self.close()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Say what to do about an error of RocksDB."""
        try:
            yield
        except Exception as exc:
            if is_damage(exc):
                self._is_damaged = True
                raise StateError(
                    f"The table data in {self._path} are damaged ({exc}): start the worker again; it rebuilds them."
                ) from exc
            raise StateError(
                f"The table data in {self._path} cannot be read or written ({exc}): check that its disk has room, then "
                "start the worker again; nothing is lost."
            ) from exc


def _opened(path: Path, options: Options) -> Rdict:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        try:
            return Rdict(str(path), options)
        except Exception as exc:
            if not is_damage(exc):
                raise
            logger.warning("The table data in %s are damaged (%s): rebuilding them from Kafka.", path, exc)
            shutil.rmtree(path)
            return Rdict(str(path), options)
    except Exception as exc:
        if "lock" in str(exc).lower():
            raise StateError(
                f"The table data in {path} is in use by another program: end it, and start the worker again."
            ) from exc
        raise StateError(
            f"The table data in {path} cannot be opened ({exc}): check that its disk has room and that this user "
            "may write there, then start the worker again. Deleting the folder is safe: it is rebuilt from Kafka."
        ) from exc


def _options(block_cache: Cache) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    # Most keys asked for are those of new readings, which are nowhere.
    options.set_memtable_whole_key_filtering(True)
    options.set_memtable_prefix_bloom_ratio(0.1)
    options.set_max_open_files(128)
    options.set_keep_log_file_num(2)
    table = BlockBasedOptions()
    table.set_block_cache(block_cache)
    # Filters and indexes stay in memory, about 2 bytes a key: in the block cache they would push data out.
    table.set_bloom_filter(10, False)
    options.set_block_based_table_factory(table)
    return options


def _after_prefix(prefix: bytes) -> bytes:
    """Return the first key behind all keys that begin with a prefix; its last byte must be below 255."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
