"""Describe what an agent is handed and what it hands back: a batch of records, and its effects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from faust.types import TP

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

    __slots__ = ("finished", "generation", "partition", "records", "topic", "tp")

    def __init__(self, tp: TP, records: Sequence[Record], generation: int) -> None:
        self.tp = tp
        self.topic: str = tp.topic
        self.partition: int = tp.partition
        self.records = records
        #: The consumer group's generation in which it was fetched; work of an older generation must not be committed.
        self.generation = generation
        #: How many of the topic's agents are done with it.
        self.finished = 0

    @property
    def next_offset(self) -> int:
        """Return the offset at which reading goes on after this batch."""
        return self.records[-1].offset + 1

    def __repr__(self) -> str:
        return f"<Batch {self.topic}/{self.partition} {self.records[0].offset}..{self.records[-1].offset}>"


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

    def sent_to(self, topic: str) -> Iterable[tuple[bytes | None, bytes | None, list[Header]]]:
        """Yield the records (key, value, headers) added for a topic, in order within each partition."""
        for tp, records in self.records.items():
            if tp.topic == topic:
                yield from records


def batch_of(event_value: Any) -> Batch:
    """Return the batch that an event carries; raise TypeError where the topic was not declared as batched."""
    if not isinstance(event_value, Batch):
        raise TypeError(
            f"Expected a batch, got {type(event_value).__name__}: declare the topic with app.batched_topic()."
        )
    return event_value
