"""Read the committed records of a topic that are there now, without a consumer group: all, the latest, or one."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bp_faust.engine.broker import admin_client, committed_reader
from bp_faust.engine.errors import TopicError

if TYPE_CHECKING:
    from bp_faust.engine.application import App

#: How many bytes are fetched of a partition at a time.
_FETCH_BYTES = 4 << 20
_LITTLE_FETCH_BYTES = 1 << 20

#: How many offsets of a partition are read at a time, going backwards: at first or where they are long, and at most.
_FIRST_STEP = 32
_LONGEST_STEP = 1024

_NOTHING: list[Any] = []


async def read_records(
    app: App, topic: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> AsyncIterator[tuple[TopicPartition, list[Any]]]:
    """Yield the records of a topic in pieces, partition by partition, in the order of their offsets.

    Progress is told as (done, all) records. Raises TopicError where there is no such topic, BrokerUnavailableError.
    """
    partitions = await partitions_of(app, topic)
    async with committed_reader(app, _FETCH_BYTES) as consumer:
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        total, passed = sum(ends.values()) - sum(starts.values()), 0
        for tp in partitions:
            # aiokafka's consumer can hang in stopping right after it was given another partition.
            if starts[tp] == ends[tp]:
                continue
            consumer.assign([tp])
            consumer.seek(tp, starts[tp])
            while (position := await consumer.position(tp)) < ends[tp]:
                progress(passed + position - starts[tp], total)
                records = (await consumer.getmany(tp, timeout_ms=500)).get(tp, [])
                yield tp, [record for record in records if record.offset < ends[tp]]
            passed += ends[tp] - starts[tp]
        progress(total, total)


async def read_merged(
    app: App, topic: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> AsyncIterator[list[Any]]:
    """Yield the records of a topic in pieces, those of all partitions together, in about the order of their times."""
    partitions = await partitions_of(app, topic)
    async with contextlib.AsyncExitStack() as stack:
        consumers = {tp: await stack.enter_async_context(committed_reader(app, _FETCH_BYTES)) for tp in partitions}
        any_consumer = next(iter(consumers.values()))
        starts = await any_consumer.beginning_offsets(partitions)
        ends = await any_consumer.end_offsets(partitions)
        total, done = sum(ends.values()) - sum(starts.values()), 0
        pieces = {}
        for tp, consumer in consumers.items():
            consumer.assign([tp])
            consumer.seek(tp, starts[tp])
            pieces[tp] = _pieces(consumer, tp, ends[tp])
        waiting = {tp: piece for tp, one in pieces.items() if (piece := await anext(one, _NOTHING))}
        while waiting:
            # A whole piece at a time: what is at the front everywhere is from about the same time.
            tp = min(waiting, key=lambda tp: waiting[tp][0].timestamp)
            piece, until = waiting.pop(tp), min((one[0].timestamp for one in waiting.values()), default=None)
            count = len(piece) if until is None else bisect_right(piece, until, key=lambda record: record.timestamp)
            yield piece[: count or 1]
            done += count or 1
            progress(done, total)
            left = piece[count or 1 :]
            if left or (left := await anext(pieces[tp], _NOTHING)):
                waiting[tp] = left
        progress(total, total)


class Backwards:
    """Read the committed records of all partitions of a topic from the latest on, in about the order of their times.

    Nobody need go on for longer than what is wanted is found, or work is allowed.
    """

    def __init__(
        self, consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int], ends: Mapping[int, int]
    ) -> None:
        self._consumer = consumer
        self._starts = starts
        self._waiting: dict[TopicPartition, list[Any]] = {tp: [] for tp in starts}
        self._unread = {tp: ends[tp.partition] for tp in starts}
        self._steps = dict.fromkeys(starts, _FIRST_STEP)
        #: By partition, the offset from which on all has been handed out, or lies behind where reading began.
        self.positions = dict(ends)

    async def records(self) -> AsyncIterator[Any]:
        """Yield the records."""
        for tp in self._starts:
            self._consumer.seek(tp, self._unread[tp])
        self._consumer.pause(*self._starts)
        while True:
            for tp, waiting in self._waiting.items():
                while not waiting and self._unread[tp] > self._starts[tp]:
                    waiting += await self._before(tp)
            fronts = [waiting for waiting in self._waiting.values() if waiting]
            if not fronts:
                return
            record = max(fronts, key=lambda waiting: waiting[-1].timestamp).pop()
            self.positions[record.partition] = record.offset
            yield record

    async def _before(self, tp: TopicPartition) -> list[Any]:
        """Return the records, oldest first, of the next offsets before those that were read; there may be none."""
        end = self._unread[tp]
        self._unread[tp] = start = max(self._starts[tp], end - self._steps[tp])
        self._consumer.seek(tp, start)
        self._consumer.resume(tp)
        found: list[Any] = []
        while await self._consumer.position(tp) < end:
            records = (await self._consumer.getmany(tp, timeout_ms=500)).get(tp, [])
            found += [record for record in records if record.offset < end]
        self._consumer.pause(tp)
        is_small = sum(len(record.value or b"") for record in found) < _LITTLE_FETCH_BYTES
        self._steps[tp] = min(2 * self._steps[tp], _LONGEST_STEP) if is_small else _FIRST_STEP
        return found


@contextlib.asynccontextmanager
async def read_backwards(app: App, topic: str, before: Mapping[int, int]) -> AsyncIterator[Backwards]:
    """Begin to read a topic backwards; ``before`` says by partition which offset, else the end, is not read any more.

    Raises TopicError where there is no such topic, BrokerUnavailableError.
    """
    partitions = await partitions_of(app, topic)
    async with committed_reader(app, _LITTLE_FETCH_BYTES) as consumer:
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        limits = {tp: min(before.get(tp.partition, ends[tp]), ends[tp]) for tp in partitions}
        yield Backwards(consumer, starts, {tp.partition: max(starts[tp], limits[tp]) for tp in partitions})


async def read_record(app: App, topic: str, partition: int, offset: int) -> Any | None:
    """Return the committed record of a place, None where there is none.

    Raises TopicError where there is no such topic, BrokerUnavailableError.
    """
    tp = TopicPartition(topic, partition)
    if tp not in await partitions_of(app, topic):
        return None
    async with committed_reader(app, _LITTLE_FETCH_BYTES) as consumer:
        starts, ends = await consumer.beginning_offsets([tp]), await consumer.end_offsets([tp])
        if not starts[tp] <= offset < ends[tp]:
            return None
        consumer.assign([tp])
        consumer.seek(tp, offset)
        while await consumer.position(tp) <= offset:
            for record in (await consumer.getmany(tp, timeout_ms=500, max_records=1)).get(tp, []):
                return record if record.offset == offset else None
    return None


async def _pieces(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> AsyncIterator[list[Any]]:
    while await consumer.position(tp) < end:
        records = (await consumer.getmany(tp, timeout_ms=500, max_records=2000)).get(tp, [])
        if records := [record for record in records if record.offset < end]:
            yield records


async def partitions_of(app: App, topic: str) -> list[TopicPartition]:
    """Return a topic's partitions; raise TopicError where there is no such topic, BrokerUnavailableError."""
    async with admin_client(app) as client:
        if topic not in await client.list_topics():
            raise TopicError(
                f"There is no topic {topic}: no worker has run here yet, or the settings name another one."
            )
        (described,) = await client.describe_topics([topic])
    return sorted(TopicPartition(topic, part["partition"]) for part in described["partitions"])
