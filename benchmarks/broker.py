"""Fill topics, and see from outside how far a consumer group is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

from benchmarks.dataset import PARTITIONS

Message = tuple[bytes | None, bytes | None]

_RECORD_BATCH_BYTES = 900_000

#: More records at the end of a partition than there can be transaction markers behind the last one.
_TAIL = 50


class Broker:
    """Keep the connections that a benchmark looks at Kafka through."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._admin = AIOKafkaAdminClient(bootstrap_servers=address)
        self._consumer = self._reader()

    async def start(self) -> None:
        """Connect."""
        await self._admin.start()
        await self._consumer.start()

    async def stop(self) -> None:
        """End the connections."""
        await self._consumer.stop()
        await self._admin.close()

    async def create_topic(self, name: str, config: Mapping[str, str] | None = None) -> None:
        """Create a topic, and wait until its partitions can be written."""
        topic = NewTopic(name, PARTITIONS, 1, topic_configs=dict(config or {}))
        await self._admin.create_topics([topic])
        while True:
            (found,) = await self._admin.describe_topics([name])
            partitions = found["partitions"]
            if len(partitions) == PARTITIONS and all(partition["leader"] >= 0 for partition in partitions):
                return
            await asyncio.sleep(0.05)

    async def delete_topics_of(self, name: str) -> None:
        """Delete all topics that have a run's name in theirs."""
        topics = [topic for topic in await self._admin.list_topics() if name in topic]
        if topics:
            await self._admin.delete_topics(topics)

    async def load(self, topic: str, values: Iterable[bytes]) -> int:
        """Spread values over the topic's partitions in turn, in record batches; return how many there were."""
        count = 0

        def messages() -> Iterable[tuple[int, Message]]:
            nonlocal count
            for count, value in enumerate(values, 1):
                yield count % PARTITIONS, (None, value)

        await self.load_partitions(topic, messages())
        return count

    async def load_partitions(self, topic: str, messages: Iterable[tuple[int, Message]]) -> None:
        """Write keys and values to the partitions named with them, in record batches."""
        async with self._producer() as producer:
            builders: dict[int, Any] = {}
            for partition, (key, value) in messages:
                builder = builders.get(partition)
                if builder is None:
                    builder = builders[partition] = producer.create_batch()
                if builder.append(timestamp=None, key=key, value=value) is None:
                    await producer.send_batch(builder, topic, partition=partition)
                    builder = builders[partition] = producer.create_batch()
                    builder.append(timestamp=None, key=key, value=value)
            for partition, builder in builders.items():
                await producer.send_batch(builder, topic, partition=partition)
            await producer.flush()

    @contextlib.asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        async with AIOKafkaProducer(
            bootstrap_servers=self.address, max_batch_size=_RECORD_BATCH_BYTES, acks="all"
        ) as producer:
            yield producer

    async def members(self, group: str) -> int:
        """Return how many members a consumer group has, 0 while it is not stable."""
        try:
            (answer,) = await self._admin.describe_consumer_groups([group])
        except GroupCoordinatorNotAvailableError:  # a new broker, whose first group this is
            return 0
        (described,) = answer.groups
        state, members = described[2], described[5]
        return len(members) if state == "Stable" else 0

    async def committed(self, group: str) -> Mapping[TopicPartition, int]:
        """Return a group's committed offsets."""
        found = await self._admin.list_consumer_group_offsets(group)
        return {tp: committed.offset for tp, committed in found.items()}

    async def behind(self, group: str, goals: Mapping[TopicPartition, int]) -> dict[int, int]:
        """Return by how many offsets a group's commits are behind their goals, by partition; empty where none is."""
        committed = await self.committed(group)
        missing = {tp.partition: goal - committed.get(tp, 0) for tp, goal in goals.items()}
        return {partition: offsets for partition, offsets in missing.items() if offsets > 0}

    async def goals(self, topic: str) -> dict[TopicPartition, int]:
        """Return the offsets behind the last committed record of each partition, transaction markers left out."""
        goals = {TopicPartition(topic, number): 0 for number in range(PARTITIONS)}
        async for tp, records in self.read(topic, last=_TAIL):
            goals[tp] = records[-1].offset + 1
        return goals

    async def has_records(self, topic: str) -> bool:
        """Tell whether a topic holds anything committed."""
        ends = await self._consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])
        return any(ends.values())

    async def count(self, topic: str) -> int:
        """Return how many committed records a topic holds."""
        return sum([len(records) async for _, records in self.read(topic)])

    async def read(
        self, topic: str, last: int | None = None
    ) -> AsyncIterator[tuple[TopicPartition, Sequence[ConsumerRecord]]]:
        """Yield the committed records of a topic, of each partition's last offsets only where ``last`` is given."""
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        async with self._reader() as consumer:
            ends = await consumer.end_offsets(partitions)
            consumer.assign(partitions)
            for tp in partitions:
                consumer.seek(tp, 0 if last is None else max(0, ends[tp] - last))
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                    yield tp, records

    def _reader(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self.address, isolation_level="read_committed", enable_auto_commit=False
        )
