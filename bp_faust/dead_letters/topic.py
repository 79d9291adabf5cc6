"""Read the dead-letter topic, and send its letters again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaProducer

from bp_faust.dead_letters.letters import DeadLetter, Origin, is_replay_note, read_letter, replay_headers, replay_note
from bp_faust.engine.broker import client_settings
from bp_faust.engine.together import Message
from bp_faust.topic_records import read_backwards, read_record, read_records

if TYPE_CHECKING:
    from bp_faust.engine.application import App

#: How many letters are on their way at most while they are sent again.
_MOST_PENDING = 1000

#: How many records, and bytes of them, are looked at for the latest letters, so that who asks is answered soon.
_MOST_LOOKED_AT = 10_000
_MOST_BYTES_LOOKED_AT = 32 << 20

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
            found = _found(topic, tp.partition, record)
            if found is not None and wanted.wants(found) and found.letter.origin not in seen:
                seen.add(found.letter.origin)
                yield found


async def read_latest(
    app: App, topic: str, wanted: Filter, before: Mapping[int, int], limit: int
) -> tuple[list[Found], dict[int, int] | None]:
    """Return the latest wanted letters, each record once, and before which offsets to go on; None where that is all.

    There may be fewer than ``limit``, or none, and more further back: no more is read than is bounded here. Raises
    TopicError where there is no such topic, BrokerUnavailableError.
    """
    letters: list[Found] = []
    seen: set[Origin] = set()
    records, size = 0, 0
    async with read_backwards(app, topic, before) as backwards:
        async for record in backwards.records():
            records, size = records + 1, size + len(record.value or b"")
            found = _found(topic, record.partition, record)
            if found is not None and wanted.wants(found) and found.letter.origin not in seen:
                seen.add(found.letter.origin)
                letters.append(found)
            if len(letters) == limit or records == _MOST_LOOKED_AT or size > _MOST_BYTES_LOOKED_AT:
                return letters, backwards.positions
    return letters, None


async def read_letter_at(app: App, topic: str, partition: int, offset: int) -> Found | None:
    """Return the letter at a place of the dead-letter topic, None where there is none; raise as above."""
    record = await read_record(app, topic, partition, offset)
    return _found(topic, partition, record) if record is not None else None


def _found(topic: str, partition: int, record: Any) -> Found | None:
    if is_replay_note(record.headers):
        return None
    place = Origin(topic, partition, record.offset, record.timestamp)
    return Found(place, read_letter(place, record.key, record.value, record.headers))


def replay_messages(found: Found, mended: bytes | None = None) -> list[Message]:
    """Return the records by which one letter is sent again, as it is or mended, and by which that is noted."""
    place, letter = found
    note, note_headers = replay_note([letter.origin])
    value = letter.value if mended is None else mended
    headers = replay_headers(letter, mended=mended is not None)
    return [
        Message(letter.origin.topic, letter.key, value, letter.origin.partition, headers),
        Message(place.topic, None, note, place.partition, note_headers),
    ]


async def replay(app: App, letters: AsyncIterator[Found]) -> int:
    """Send letters to the topic and partition that they came from, and return how many; Kafka has them all then."""
    sent = 0
    pending: set[asyncio.Future[Any]] = set()
    of_partitions: dict[tuple[str, int], list[Origin]] = {}
    # What is refused again meanwhile is not what was sent again.
    since = int(time.time() * 1000)

    async def settle() -> None:
        nonlocal since
        await asyncio.gather(*pending)
        pending.clear()
        for (topic, partition), origins in of_partitions.items():
            note, headers = replay_note(origins)
            await producer.send_and_wait(topic, note, partition=partition, headers=headers, timestamp_ms=since)
        of_partitions.clear()
        since = int(time.time() * 1000)

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
            of_partitions.setdefault((found.place.topic, found.place.partition), []).append(letter.origin)
            if len(pending) >= _MOST_PENDING:
                await settle()
        await settle()
    return sent
