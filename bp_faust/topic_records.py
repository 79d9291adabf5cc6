"""Read all committed records of a topic that are there now, without a consumer group."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bp_faust.engine.broker import admin_client, client_settings
from bp_faust.engine.errors import TopicError

if TYPE_CHECKING:
    from bp_faust.engine.application import App

#: How many bytes are fetched of a partition at a time.
_FETCH_BYTES = 4 << 20

_NOTHING: list[Any] = []


async def read_records(
    app: App, topic: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> AsyncIterator[tuple[TopicPartition, list[Any]]]:
    """Yield the records of a topic in pieces, partition by partition, in the order of their offsets.

    Progress is told as (done, all) records. Raises TopicError where there is no such topic, BrokerUnavailableError.
    """
    partitions = await partitions_of(app, topic)
    consumer = AIOKafkaConsumer(
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_partition_fetch_bytes=_FETCH_BYTES,
        **client_settings(app),
    )
    async with consumer:
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
        consumers = {
            tp: await stack.enter_async_context(
                AIOKafkaConsumer(
                    isolation_level="read_committed",
                    enable_auto_commit=False,
                    max_partition_fetch_bytes=_FETCH_BYTES,
                    **client_settings(app),
                )
            )
            for tp in partitions
        }
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
