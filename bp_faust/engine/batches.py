"""Describe what an agent is handed and what it hands back: a batch of records, and its effects."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from faust.types import TP

#: How many records a batch holds at most where nothing else is set; without a bound memory has none.
RECORDS_IN_A_BATCH = 4000

Header = tuple[str, bytes]


class Record(Protocol):
    """Describe the parts of aiokafka's ConsumerRecord that agents read; ``timestamp`` is in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


class Batch:
    """Hold consecutive records of one partition, as they were fetched."""

    __slots__ = ("came_in", "finished", "generation", "partition", "parts", "records", "since", "size", "topic", "tp")

    def __init__(self, tp: TP, records: Sequence[Record], generation: int, parts: Sequence[Batch] = ()) -> None:
        self.tp = tp
        self.topic: str = tp.topic
        self.partition: int = tp.partition
        self.records = records
        #: The consumer group's generation in which it was fetched; work of an older generation must not be committed.
        self.generation = generation
        #: How many bytes its values have.
        self.size: int = sum(
            [part.size for part in parts] if parts else [len(record.value or b"") for record in records]
        )
        #: The topic's agents that are done with it, by name.
        self.finished: set[str] = set()
        #: The batches, as they were fetched, that it was made of; empty where it was fetched as it is. Not itself: in
        #: a cycle its records would stay until the garbage collector comes by.
        self.parts = parts
        #: Since when what is in it has been under way, in Unix seconds: where its agent knows of an earlier topic's.
        self.since: float | None = None
        #: Since when what it was made of has been under way from the very first topic, in Unix seconds, if known.
        self.came_in: float | None = None

    @property
    def oldest(self) -> float:
        """Return since when what is in it has been under way, in Unix seconds."""
        if self.since is not None:
            return self.since
        return min([record.timestamp for record in self.records]) / 1000

    @property
    def place(self) -> dict[str, str | int]:
        """Return the fields by which a log line says where it begins, and how many records it has."""
        first = self.records[0]
        return {
            "topic": self.topic,
            "partition": self.partition,
            "offset": first.offset,
            "records": len(self.records),
        }

    @property
    def next_offset(self) -> int:
        """Return the offset at which reading goes on after this batch."""
        return self.records[-1].offset + 1

    def followed_by(self, others: Sequence[Batch]) -> Batch:
        """Return one batch of this one and those that follow it."""
        if not others:
            return self
        parts = (self, *others)
        return Batch(self.tp, [record for part in parts for record in part.records], self.generation, parts)

    def __repr__(self) -> str:
        return f"<Batch {self.topic}/{self.partition} {self.records[0].offset}..{self.records[-1].offset}>"


class WaitingBatches:
    """Hold the batches of one partition that wait for an agent.

    Small ones that came while it was at work are handed over as one: a transaction takes its time, whatever is in it.
    """

    def __init__(self, most_records: int, most_bytes: int) -> None:
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._waiting: deque[Batch] = deque()
        self._any = asyncio.Event()

    def put(self, batch: Batch) -> None:
        """Add a batch."""
        self._waiting.append(batch)
        self._any.set()

    async def get(self) -> Batch:
        """Return what waits, as far as it is of one generation and no larger than a batch may be."""
        await self._any.wait()
        waiting = self._waiting
        first = waiting.popleft()
        others: list[Batch] = []
        records, size = len(first.records), first.size
        while waiting and waiting[0].generation == first.generation:
            records, size = records + len(waiting[0].records), size + waiting[0].size
            if records > self._most_records or size > self._most_bytes:
                break
            others.append(waiting.popleft())
        if not waiting:
            self._any.clear()
        return first.followed_by(others)


class Effects:
    """Collect what one batch does: records for other topics, and changes of the table's partition."""

    __slots__ = ("changes", "records")

    def __init__(self) -> None:
        self.records: dict[TP, list[tuple[bytes | None, bytes | None, list[Header]]]] = {}
        #: New values by key; None removes the key.
        self.changes: dict[bytes, bytes | None] = {}

    def send(
        self,
        topic: str,
        partition: int,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: list[Header] | None = None,
    ) -> None:
        """Add one record for a partition of another topic."""
        self.send_all(topic, partition, [(key, value, headers or [])])

    def send_all(
        self, topic: str, partition: int, records: Iterable[tuple[bytes | None, bytes | None, list[Header]]]
    ) -> None:
        """Add records (key, value, headers) for a partition of another topic, in order."""
        self.records.setdefault(TP(topic, partition), []).extend(records)
