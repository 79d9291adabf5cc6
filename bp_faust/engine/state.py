"""Make a Faust table of partitions that lie in RocksDB, whose changes come with transactions."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faust.stores.base import SerializedStore
from faust.tables.table import Table
from faust.types import TP

from .partition_database import PartitionDatabase, new_block_cache

if TYPE_CHECKING:
    from .application import App

Decoder = Callable[[bytes, bytes], Any]


class StateStore(SerializedStore[str, Any]):
    """Hold the databases of the partitions that this worker has, active or standby."""

    app: App

    def __init__(self, *args: Any, decode: Decoder, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._decode = decode
        self._databases: dict[int, PartitionDatabase] = {}
        self._active: set[int] = set()
        self._block_cache = new_block_cache()

    # -- one partition

    def get_many(self, partition: int, keys: list[bytes]) -> list[bytes | None]:
        """Return the values of keys in one partition, None for those that are not there."""
        return self._databases[partition].get_many(keys)

    def scan(self, partition: int, prefix: bytes, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values of one partition whose keys begin with a prefix, in order; those after one if given."""
        return self._databases[partition].scan(prefix, after)

    def write(self, partition: int, changes: Mapping[bytes, bytes | None], position: int) -> None:
        """Write a batch's changes together with the changelog position behind them, all or nothing."""
        self._databases[partition].write(changes, position)

    def position(self, partition: int) -> int:
        """Return the changelog position that a partition stands for: the offset to read next."""
        return self._databases[partition].position()

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
        self._databases.pop(partition).delete()
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
            self._databases.pop(partition).close()
        for partition in held - set(self._databases):
            self._open(partition)

    async def on_stop(self) -> None:
        """Close all databases; what was written is then on disk."""
        self._close_all()

    def reset_state(self) -> None:
        """Delete all local data, as ``faust reset`` asks; recovery builds it anew."""
        self._close_all()
        for path in Path(self.app.conf.tabledir).glob(f"{self.table_name}-*.rocksdb"):
            shutil.rmtree(path)

    def _open(self, partition: int) -> None:
        path = Path(self.app.conf.tabledir) / f"{self.table_name}-{partition}.rocksdb"
        self._databases[partition] = PartitionDatabase(path, self._block_cache)

    def _close_all(self) -> None:
        while self._databases:
            _, database = self._databases.popitem()
            database.close()

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
            value = self._databases[partition].get(key)
            if value is not None:
                return value
        return None

    def _contains(self, key: bytes) -> bool:
        return self._get(key) is not None

    def _iteritems(self) -> Iterator[tuple[bytes, bytes]]:
        for partition in self.active_partitions:
            yield from self._databases[partition].scan()

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
        """Do nothing: the changelog is read by ``recovery``, in batches of its own."""
