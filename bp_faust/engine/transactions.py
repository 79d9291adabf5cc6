"""Make everything that a batch does inside Kafka one transaction, fenced per source partition."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import TopicPartition
from faust.types import TP
from mode.utils.logging import get_logger

from .batches import Batch, Effects, Header
from .broker import client_settings
from .errors import TransactionError

if TYPE_CHECKING:
    from .application import App

logger = get_logger(__name__)

# Kafka asks for a retry whenever a partition's last transaction is still being written down: that is no news.
logging.getLogger("aiokafka.producer.sender").setLevel(logging.ERROR)

#: The size in bytes at which a record batch is closed; brokers take about 1 MB (``message.max.bytes``).
_RECORD_BATCH_BYTES = 900_000

#: The largest record in bytes, for topics that take more than that.
_LARGEST_BYTES = 64 << 20

#: How long a transaction may take, in seconds; brokers abort it after a minute by themselves.
_COMMIT_SECONDS = 60.0

#: How long a producer may take to abort or to leave, in seconds: aiokafka waits for ever where no broker answers.
_CLOSE_SECONDS = 5.0


class Transactions:
    """Keep one transactional producer for each assigned source partition.

    The transactional id names the source partition, so starting a partition's producer fences whoever had the partition
    before, a frozen worker included (KIP-98; Kafka Streams' first exactly-once design).
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._producers: dict[TP, AIOKafkaProducer] = {}
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Mark a batch as at work, so that a rebalance waits for it."""
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def assign(self, tps: Iterable[TP]) -> None:
        """Start the producers of the assigned source partitions; from then on their predecessors can write nothing."""
        await self._idle.wait()
        await self.close()
        assigned = sorted(tps)
        producers = await asyncio.gather(*(self._start(tp) for tp in assigned))
        self._producers = dict(zip(assigned, producers, strict=True))

    async def close(self) -> None:
        """End all producers; what they had not committed is aborted."""
        producers, self._producers = list(self._producers.values()), {}
        await asyncio.gather(*(end(producer) for producer in producers))

    async def _start(self, tp: TP) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            transactional_id=f"{self.app.conf.id}-{tp.topic}-{tp.partition}",
            acks="all",
            max_batch_size=_LARGEST_BYTES,
            # Kafka asks for a retry where the transaction before is still being written down.
            retry_backoff_ms=5,
            **client_settings(self.app),
        )
        await producer.start()
        # aiokafka asks for its producer id, which is what fences, in the background: a transaction waits for it.
        await producer.begin_transaction()
        await producer.abort_transaction()
        return producer

    async def commit(self, batch: Batch, effects: Effects, changelog: str | None) -> int | None:
        """Commit a batch's records, its table changes and its source offset, all or nothing.

        Returns the changelog position behind the changes, None where there are none.
        """
        try:
            return await asyncio.wait_for(self._commit(batch, effects, changelog), _COMMIT_SECONDS)
        except asyncio.TimeoutError as exc:
            raise TransactionError(
                f"Kafka did not finish the transaction of {batch!r} within {_COMMIT_SECONDS:.0f} s: check that the "
                "brokers are up and that transaction.state.log.replication.factor suits their number."
            ) from exc

    async def _commit(self, batch: Batch, effects: Effects, changelog: str | None) -> int | None:
        producer = self._producers[batch.tp]
        position = None
        async with transaction(producer):
            sends = []
            for tp, records in effects.records.items():
                sends += [await self._send(producer, tp, builder) for builder in record_batches(producer, records)]
            if effects.changes:
                assert changelog is not None
                tp = TP(changelog, batch.partition)
                changes: Iterable[tuple[bytes, bytes | None, list[Header]]] = (
                    (key, value, []) for key, value in effects.changes.items()
                )
                builders = list(record_batches(producer, changes))
                changed = [await self._send(producer, tp, builder) for builder in builders]
                sends += changed
            await producer.send_offsets_to_transaction(
                {TopicPartition(batch.topic, batch.partition): batch.next_offset}, self.app.conf.id
            )
            await asyncio.gather(*sends)
            if effects.changes:
                position = changed[-1].result().offset + builders[-1].record_count()
        return position

    async def _send(self, producer: AIOKafkaProducer, tp: TP, builder: BatchBuilder) -> asyncio.Future[Any]:
        return await producer.send_batch(builder, tp.topic, partition=tp.partition)


@contextlib.asynccontextmanager
async def transaction(producer: AIOKafkaProducer) -> AsyncIterator[None]:
    """Commit what is sent within the block; abort it all where the block fails."""
    await producer.begin_transaction()
    try:
        yield
        await producer.commit_transaction()
    except BaseException:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(producer.abort_transaction(), _CLOSE_SECONDS)
        raise


async def end(producer: AIOKafkaProducer) -> None:
    """End a producer; a transaction that it leaves open is fenced by the next one of its id, or aborted by Kafka."""
    try:
        await asyncio.wait_for(producer.stop(), _CLOSE_SECONDS)
    except Exception as exc:
        logger.debug("A producer did not end cleanly: %r", exc)


def record_batches(
    producer: AIOKafkaProducer, records: Iterable[tuple[bytes | None, bytes | None, list[Header]]]
) -> Iterable[BatchBuilder]:
    """Yield closed record batches that hold the given records in order; a large record has one to itself."""
    builder = producer.create_batch()
    for key, value, headers in records:
        if builder.record_count() and builder.size() + len(value or b"") > _RECORD_BATCH_BYTES:
            builder.close()
            yield builder
            builder = producer.create_batch()
        if builder.append(timestamp=None, key=key, value=value, headers=headers) is None:
            raise TransactionError(
                f"A record of {len(value or b'')} bytes is larger than any that can be sent ({_LARGEST_BYTES} bytes)."
            )
    builder.close()
    yield builder
