"""Put records on topics and read them back, as another program would."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

#: How many records are on their way at most.
_PENDING = 5000


async def create_topic(kafka: str, name: str, partitions: int) -> None:
    """Create a topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1)])
    finally:
        await admin.close()


async def produce(
    kafka: str,
    topic: str,
    values: Iterable[Any],
    partition: int | None = None,
    *,
    key: bytes | None = None,
    timestamp_ms: int | None = None,
) -> list[tuple[int, int]]:
    """Put values on a topic, without keys unless one is given; bytes as they are, all else as JSON.

    Return the partition and offset of each.
    """
    places: list[tuple[int, int]] = []
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", linger_ms=5, max_request_size=2_000_000
    ) as producer:
        remaining = iter(values)
        while some := list(islice(remaining, _PENDING)):
            sends = [
                await producer.send(
                    topic,
                    value if isinstance(value, bytes) else orjson.dumps(value),
                    partition=partition,
                    key=key,
                    timestamp_ms=timestamp_ms,
                )
                for value in some
            ]
            places += [(stored.partition, stored.offset) for stored in await asyncio.gather(*sends)]
    return places


async def read_all(kafka: str, topic: str) -> Sequence[Any]:
    """Return all committed records of a topic, by partition and offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed", enable_auto_commit=False)
    async with consumer:
        partitions = [TopicPartition(topic, number) for number in await _found(consumer, topic)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        records: list[Any] = []
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for found in (await consumer.getmany(timeout_ms=200)).values():
                records += found
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def _found(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.force_metadata_update()
    consumer._client.add_topic(topic)
    for _ in range(50):
        partitions = consumer.partitions_for_topic(topic)
        if partitions:
            return set(partitions)
        await asyncio.sleep(0.1)
    raise AssertionError(f"There is no topic {topic}")


async def committed_offsets(kafka: str, group: str) -> dict[TopicPartition, int]:
    """Return a group's committed offsets."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group)
        return {tp: committed.offset for tp, committed in found.items()}
    finally:
        await admin.close()


async def reset_group(kafka: str, group: str, *topics: str) -> None:
    """Set a group's committed offsets to the beginning, of some topics or all, as its operator would.

    No worker may run meanwhile.
    """
    partitions = [tp for tp in await committed_offsets(kafka, group) if not topics or tp.topic in topics]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    async with consumer:
        consumer.assign(partitions)
        await consumer.commit(await consumer.beginning_offsets(partitions))


async def uncommitted(kafka: str, group: str, topics: Iterable[str]) -> dict[str, int]:
    """Return how many records of each topic a group has yet to commit; transaction markers are none."""
    committed = await committed_offsets(kafka, group)
    async with AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed") as consumer:
        partitions = [TopicPartition(topic, number) for topic in topics for number in await _found(consumer, topic)]
        ends = await consumer.end_offsets(partitions)
        behind = {tp: ends[tp] - committed.get(tp, 0) for tp in partitions}
        found = dict.fromkeys(topics, 0)
        # A few offsets may be markers only; reading tells.
        doubtful = [tp for tp in partitions if 0 < behind[tp] <= 16]
        for tp in partitions:
            found[tp.topic] += behind[tp] if tp not in doubtful else 0
        consumer.assign(doubtful)
        for tp in doubtful:
            consumer.seek(tp, committed.get(tp, 0))
        while any([await consumer.position(tp) < ends[tp] for tp in doubtful]):
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                found[tp.topic] += len(records)
        return found
