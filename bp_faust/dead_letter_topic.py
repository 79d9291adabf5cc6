"""Read the dead-letter topic, and send its letters again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaProducer

from bp_faust.dead_letters import DeadLetter, Origin, read_letter, replay_headers
from bp_faust.engine.broker import client_settings
from bp_faust.topic_records import read_records

if TYPE_CHECKING:
    from bp_faust.engine.application import App

#: How many letters are on their way at most while they are sent again.
_MOST_PENDING = 1000

#: As large as any record that a broker takes.
_LARGEST_BYTES = 64 << 20


class Found(NamedTuple):
    """Hold a dead letter and its own place on the dead-letter topic; the timestamp says when it was refused."""

    place: Origin
    letter: DeadLetter


@dataclass(frozen=True)
class Filter:
    """Say which letters are wanted; what is None or empty wants all."""

    reasons: frozenset[str] = frozenset()
    topic: str | None = None
    #: The record's place where it first came in, as topic/partition/offset.
    origin: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, found: Found) -> bool:
        """Tell whether a letter is wanted; its time is that at which its record first came in."""
        letter = found.letter
        moment = letter.origin.timestamp / 1000
        return (
            (not self.reasons or not self.reasons.isdisjoint(letter.reasons))
            and (self.topic is None or letter.origin.topic == self.topic)
            and (self.origin is None or str(letter.origin) == self.origin)
            and (self.since is None or moment >= self.since.timestamp())
            and (self.until is None or moment < self.until.timestamp())
        )


async def read_letters(
    app: App, topic: str, wanted: Filter, progress: Callable[[int, int], None]
) -> AsyncIterator[Found]:
    """Yield the wanted letters that are there now, by partition and offset, each record once, however often refused.

    Progress is told as (done, all) records. Raises TopicError where there is no such topic, BrokerUnavailableError.
    """
    seen: set[Origin] = set()
    async for tp, records in read_records(app, topic, progress):
        for record in records:
            place = Origin(topic, tp.partition, record.offset, record.timestamp)
            found = Found(place, read_letter(place, record.key, record.value, record.headers))
            if wanted.wants(found) and found.letter.origin not in seen:
                seen.add(found.letter.origin)
                yield found


async def replay(app: App, letters: AsyncIterator[Found]) -> int:
    """Send letters to the topic and partition that they came from, and return how many; Kafka has them all then."""
    sent = 0
    pending: set[asyncio.Future[Any]] = set()
    async with AIOKafkaProducer(
        acks="all", enable_idempotence=True, max_request_size=_LARGEST_BYTES, **client_settings(app)
    ) as producer:
        async for found in letters:
            letter = found.letter
            pending.add(
                await producer.send(
                    letter.origin.topic,
                    letter.value,
                    key=letter.key,
                    partition=letter.origin.partition,
                    headers=replay_headers(letter),
                )
            )
            sent += 1
            if len(pending) >= _MOST_PENDING:
                await asyncio.gather(*pending)
                pending.clear()
        await asyncio.gather(*pending)
    return sent
