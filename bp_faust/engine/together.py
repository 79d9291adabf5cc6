"""Send a few records in one transaction of their own, outside any batch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from .broker import client_settings, ensure_topics
from .errors import TransactionError
from .transactions import end, transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .application import App

#: How long Kafka may take to have the records, in seconds.
_KAFKA_SECONDS = 10.0


class Message(NamedTuple):
    """Hold a record to be sent; without a partition its key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


async def send_together(app: App, messages: Sequence[Message]) -> None:
    """Send records, all or none, to topics that are made where they are missing.

    Raises TransactionError where Kafka does not take them all, TopicError, BrokerUnavailableError.
    """
    producer = AIOKafkaProducer(
        transactional_id=f"{app.conf.id}-together-{uuid4()}",
        acks="all",
        max_request_size=app.conf.producer_max_request_size,
        **client_settings(app),
    )
    topics = " and ".join(dict.fromkeys(message.topic for message in messages))
    try:
        await asyncio.wait_for(_send(app, producer, messages), _KAFKA_SECONDS)
    except asyncio.TimeoutError as exc:
        raise TransactionError(
            f"Kafka has not confirmed within {_KAFKA_SECONDS:.0f} s what was to be written to {topics}: check the "
            "brokers, see whether it was done, and try again."
        ) from exc
    except (KafkaError, OSError) as exc:
        raise TransactionError(
            f"Kafka does not take this now ({type(exc).__name__}), and nothing was written to {topics}: check the "
            "brokers and what may be written there, and try again."
        ) from exc
    finally:
        await end(producer)


async def _send(app: App, producer: AIOKafkaProducer, messages: Sequence[Message]) -> None:
    names = {message.topic for message in messages}
    await ensure_topics(app, [topic for topic in app.wanted_topics if topic.name in names])
    await producer.start()
    async with transaction(producer):
        sends = [
            await producer.send(
                message.topic,
                message.value,
                key=message.key,
                partition=message.partition,
                headers=list(message.headers),
            )
            for message in messages
        ]
        await asyncio.gather(*sends)
