"""Read all committed records of a topic that are there now, without a consumer group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bp_faust.engine.broker import admin_client, client_settings
from bp_faust.engine.errors import TopicError

if TYPE_CHECKING:
    from bp_faust.engine.application import App

#: How many bytes are fetched of a partition at a time.
_FETCH_BYTES = 4 << 20


async def read_records(
    app: App, topic: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> AsyncIterator[tuple[TopicPartition, list[Any]]]:
    """Yield the records of a topic in pieces, partition by partition, in the order of their offsets.

    Progress is told as (done, all) records. Raises TopicError where there is no such topic, BrokerUnavailableError.
    """
    partitions = await _partitions(app, topic)
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
            consumer.assign([tp])
            consumer.seek(tp, starts[tp])
            while (position := await consumer.position(tp)) < ends[tp]:
                progress(passed + position - starts[tp], total)
                records = (await consumer.getmany(tp, timeout_ms=500)).get(tp, [])
                yield tp, [record for record in records if record.offset < ends[tp]]
            passed += ends[tp] - starts[tp]
        progress(total, total)


async def _partitions(app: App, topic: str) -> list[TopicPartition]:
    async with admin_client(app) as client:
        if topic not in await client.list_topics():
            raise TopicError(
                f"There is no topic {topic}: no worker has run here yet, or the settings name another one."
            )
        (described,) = await client.describe_topics([topic])
    return sorted(TopicPartition(topic, part["partition"]) for part in described["partitions"])
