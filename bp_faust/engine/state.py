"""Keep a table's partitions in RocksDB, changed only by whole batches that its changelog already holds."""

from __future__ import annotations

import contextlib
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faust.stores.base import SerializedStore
from faust.tables.table import Table
from faust.types import TP
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

if TYPE_CHECKING:
    from .application import App

#: The key, outside every application's, under which a partition's changelog position is kept.
_POSITION_KEY = b"\0changelog-position"
_POSITION = struct.Struct(">q")

#: Memory for RocksDB in bytes: one block cache for all partitions, and a write buffer for each.
_BLOCK_CACHE_BYTES = 32 << 20
_WRITE_BUFFER_BYTES = 8 << 20

Decoder = Callable[[bytes, bytes], Any]


class StateStore(SerializedStore[str, Any]):
    """Hold one RocksDB database for each partition that this worker has, active or standby.

    The write-ahead log is off: the changelog is the log. RocksDB then forgets the last writes when the process is
    killed, but a batch always together with its changelog position, and recovery reads on from there.
    """

    app: App

    def __init__(self, *args: Any, decode: Decoder, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._decode = decode
        self._databases: dict[int, Rdict] = {}
        self._active: set[int] = set()
        #: The partitions whose data on disk were found damaged: deleted when they are closed.
        self._damaged: set[int] = set()
        self._block_cache = Cache(_BLOCK_CACHE_BYTES)
        self._write_options = WriteOptions()
        self._write_options.disable_wal = True

    # -- one partition

    def get_many(self, partition: int, keys: list[bytes]) -> list[bytes | None]:
        """Return the values of keys in one partition, None for those that are not there."""
        with self._at_work_on(partition):
            found: list[bytes | None] = self._databases[partition].get(keys)
        return found

    def scan(self, partition: int, prefix: bytes, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values of one partition whose keys begin with a prefix, in order; those after one if given."""
        options = ReadOptions()
        options.set_iterate_upper_bound(_after_prefix(prefix))
        # Not items(), which ends without a word where it meets damaged data.
        iterator = self._databases[partition].iter(options)
        try:
            # Nothing lies between a key and the same with a byte 0 behind it.
            iterator.seek(prefix if after is None else max(prefix, after + b"\0"))
            while iterator.valid():
                yield iterator.key(), iterator.value()
                iterator.next()
            with self._at_work_on(partition):
                iterator.status()
        finally:
            # An error's traceback would keep it, and with it the database open.
            del iterator

    def write(self, partition: int, changes: Mapping[bytes, bytes | None], position: int) -> None:
        """Write a batch's changes together with the changelog position behind them, all or nothing."""
        batch = WriteBatch(raw_mode=True)
        put = batch.put
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                put(key, value)
        put(_POSITION_KEY, _POSITION.pack(position))
        with self._at_work_on(partition):
            self._databases[partition].write(batch, self._write_options)

    def position(self, partition: int) -> int:
        """Return the changelog position that a partition stands for: the offset to read next."""
        with self._at_work_on(partition):
            value = self._databases[partition].get(_POSITION_KEY)
        return 0 if value is None else int(_POSITION.unpack(value)[0])

    def has(self, partition: int) -> bool:
        """Tell whether this worker holds a partition, active or standby."""
        return partition in self._databases

    def is_active(self, partition: int) -> bool:
        """Tell whether this worker answers for a partition."""
        return partition in self._active

    @property
    def active_partitions(self) -> list[int]:
        """Return the partitions that this worker answers for."""
        return sorted(self._active)

    @property
    def held_partitions(self) -> list[int]:
        """Return the partitions that this worker holds, active or standby."""
        return sorted(self._databases)

    def discard(self, partition: int) -> None:
        """Throw a partition's local data away; recovery builds it anew."""
        self._damaged.add(partition)
        self._close(partition)
        self._open(partition)

    # -- assignment

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Open the databases of the partitions that came, close those of the ones that went."""
        changelog = self.table.changelog_topic.get_topic_name()
        assignor = self.app.assignor
        self._active = {tp.partition for tp in assignor.assigned_actives() if tp.topic == changelog}
        held = self._active | {tp.partition for tp in assignor.assigned_standbys() if tp.topic == changelog}
        for partition in set(self._databases) - held:
            self._close(partition)
        for partition in held - set(self._databases):
            self._open(partition)

    async def on_stop(self) -> None:
        """Close all databases; what was written is then on disk."""
        for partition in list(self._databases):
            self._close(partition)

    def reset_state(self) -> None:
        """Delete all local data, as ``faust reset`` asks; recovery builds it anew."""
        for partition in list(self._databases):
            self._close(partition)
        for path in Path(self.app.conf.tabledir).glob(f"{self.table_name}-*.rocksdb"):
            shutil.rmtree(path)

    async def backup_partition(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: the changelog is the backup."""
        raise NotImplementedError("A table's backup is its changelog topic.")

    async def restore_backup(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: recovery from the changelog restores a table."""
        raise NotImplementedError("A table is restored from its changelog topic: delete its local data.")

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the last changelog offset that a partition holds, None where it holds nothing."""
        position = self.position(tp.partition) if self.has(tp.partition) else 0
        return position - 1 if position else None

    def _path(self, partition: int) -> Path:
        return Path(self.app.conf.tabledir) / f"{self.table_name}-{partition}.rocksdb"

    def _options(self) -> Options:
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
        table.set_block_cache(self._block_cache)
        # Filters and indexes stay in memory, about 2 bytes a key: in the block cache they would push data out.
        table.set_bloom_filter(10, False)
        options.set_block_based_table_factory(table)
        return options

    def _open(self, partition: int) -> None:
        path = self._path(partition)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            try:
                self._databases[partition] = Rdict(str(path), self._options())
            except Exception as exc:
                if not is_damage(exc):
                    raise
                self.log.warning("The table data in %s are damaged (%s): rebuilding them from Kafka.", path, exc)
                shutil.rmtree(path)
                self._databases[partition] = Rdict(str(path), self._options())
        except Exception as exc:
            if "lock" in str(exc).lower():
                raise StateError(
                    f"The table data in {path} is in use by another program: end it, and start the worker again."
                ) from exc
            raise StateError(
                f"The table data in {path} cannot be opened ({exc}): check that its disk has room and that this user "
                "may write there, then start the worker again. Deleting the folder is safe: it is rebuilt from Kafka."
            ) from exc

    def _close(self, partition: int) -> None:
        try:
            self._databases.pop(partition).close()
        except Exception as exc:
            self.log.warning(
                "The last changes of %s could not be written to disk, and are read again from Kafka next time: %s",
                self._path(partition),
                exc,
            )
        if partition in self._damaged:
            self._damaged.discard(partition)
            if self._path(partition).exists():
                shutil.rmtree(self._path(partition))

    @contextlib.contextmanager
    def _at_work_on(self, partition: int) -> Iterator[None]:
        """Say what to do about an error of RocksDB."""
        try:
            yield
        except Exception as exc:
            path = self._path(partition)
            if is_damage(exc):
                self._damaged.add(partition)
                raise StateError(
                    f"The table data in {path} are damaged ({exc}): start the worker again; it rebuilds them."
                ) from exc
            raise StateError(
                f"The table data in {path} cannot be read or written ({exc}): check that its disk has room, then start "
                "the worker again; nothing is lost."
            ) from exc

    # -- what Faust's tables, views and commands read: the active partitions, decoded

    def _encode_key(self, key: str) -> bytes:
        return key.encode()

    def _decode_key(self, key: bytes | None) -> str:
        assert key is not None
        return key.decode()

    def __getitem__(self, key: str) -> Any:
        encoded = key.encode()
        value = self._get(encoded)
        if value is None:
            raise KeyError(key)
        return self._decode(encoded, value)

    def _items_decoded(self) -> Iterator[tuple[str, Any]]:
        for key, value in self._iteritems():
            yield key.decode(), self._decode(key, value)

    def _values_decoded(self) -> Iterator[Any]:
        for key, value in self._iteritems():
            yield self._decode(key, value)

    def _get(self, key: bytes) -> bytes | None:
        for partition in self._active:
            value: bytes | None = self._databases[partition].get(key)
            if value is not None:
                return value
        return None

    def _contains(self, key: bytes) -> bool:
        return self._get(key) is not None

    def _iteritems(self) -> Iterator[tuple[bytes, bytes]]:
        for partition in self.active_partitions:
            for key, value in self._databases[partition].items():
                if key[:1] != b"\0":  # type: ignore[index]
                    yield key, value

    def _iterkeys(self) -> Iterator[bytes]:
        return (key for key, _ in self._iteritems())

    def _itervalues(self) -> Iterator[bytes | None]:
        return (value for _, value in self._iteritems())

    def _size(self) -> int:
        return sum(1 for _ in self._iteritems())

    def _set(self, key: bytes, value: bytes | None) -> None:
        raise TypeError("This table is changed by batches only: see bp_faust.engine.batches.Effects.")

    def _del(self, key: bytes) -> None:
        self._set(key, None)

    def _clear(self) -> None:
        self._set(b"", None)


class StateTable(Table[str, Any]):
    """Be an ordinary Faust table to all who read it, whose changes come with transactions."""

    app: App

    def __init__(self, app: App, *, decode: Decoder, **kwargs: Any) -> None:
        super().__init__(app, key_type=str, value_type=bytes, **kwargs)
        self._decode = decode
        self.key_serializer = "raw"
        self.value_serializer = "raw"

    def info(self) -> Mapping[str, Any]:
        """Return what Faust needs to make a copy of this table."""
        known = {key: value for key, value in super().info().items() if key not in {"key_type", "value_type"}}
        return {**known, "decode": self._decode}

    def _new_store(self) -> StateStore:
        return StateStore(
            "rocksdb://", self.app, self, table_name=self.name, decode=self._decode, beacon=self.beacon, loop=self.loop
        )

    @property
    def store(self) -> StateStore:
        """Return the partitions' databases."""
        data: StateStore = self.data
        return data

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Do nothing: the changelog is read by ``engine.recovery``, in batches of its own."""


def _after_prefix(prefix: bytes) -> bytes:
    """Return the first key behind all keys that begin with a prefix; its last byte must be below 255."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
