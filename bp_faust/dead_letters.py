"""Say what a dead letter is: a record that could not be used, unchanged, with where it came from and why in headers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from bp_faust.models import Rejection

if TYPE_CHECKING:
    from bp_faust.engine.batches import Batch, Record

Header = tuple[str, bytes]

#: What our headers' names begin with; a record's own keep their names.
_PREFIX = "bp_faust."

#: How many reasons a dead letter names at most: a Bundle may hold thousands.
MOST_REASONS = 20


class Origin(NamedTuple):
    """Name the place at which a record first came in; the timestamp is Kafka's, in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class DeadLetter(NamedTuple):
    """Hold a record that could not be used: key, value and headers are the record's own."""

    origin: Origin
    #: The first of them, at most ``MOST_REASONS``.
    rejections: Sequence[Rejection]
    #: How many there are.
    rejected: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]

    @property
    def reasons(self) -> list[str]:
        """Return the codes that it names, each once."""
        return list(dict.fromkeys(rejection.reason for rejection in self.rejections))


def place_of(batch: Batch, record: Record) -> Origin:
    """Return where a record of a batch is."""
    return Origin(batch.topic, batch.partition, record.offset, record.timestamp)


def first_place_of(batch: Batch, record: Record) -> Origin:
    """Return where a record of a batch first came in."""
    here = place_of(batch, record)
    return origin_of(here, record.headers) if record.headers else here


def origin_of(here: Origin, headers: Iterable[Header]) -> Origin:
    """Return where a record first came in: ``here``, or where it was before it was replayed."""
    known = dict(headers)
    try:
        origin = Origin(
            known["bp_faust.topic"].decode(),
            int(known["bp_faust.partition"]),
            int(known["bp_faust.offset"]),
            int(known["bp_faust.timestamp"]),
        )
    except (KeyError, ValueError):
        return here
    # Anyone may write such headers; Kafka's own numbers have 64 bits.
    return origin if all(-1 <= number < 1 << 63 for number in origin[1:]) else here


def letter_headers(here: Origin, headers: Iterable[Header], rejections: Sequence[Rejection]) -> list[Header]:
    """Return the headers of a dead letter: the record's own, where it came from, and why it could not be used."""
    headers = list(headers)
    origin = origin_of(here, headers)
    found = [header for header in headers if not header[0].startswith(_PREFIX)]
    found += _origin_headers(origin)
    found.append(("bp_faust.rejections", b"%d" % len(rejections)))
    for rejection in rejections[:MOST_REASONS]:
        found.append(("bp_faust.reason", rejection.reason.encode()))
        found.append(("bp_faust.path", rejection.path.encode()))
        found.append(("bp_faust.detail", rejection.detail.encode()))
    return found


def replay_headers(letter: DeadLetter) -> list[Header]:
    """Return the headers with which a dead letter is sent again; its readings are then the same as the first time."""
    return [*letter.headers, *_origin_headers(letter.origin)]


def _origin_headers(origin: Origin) -> list[Header]:
    return [
        ("bp_faust.topic", origin.topic.encode()),
        ("bp_faust.partition", b"%d" % origin.partition),
        ("bp_faust.offset", b"%d" % origin.offset),
        ("bp_faust.timestamp", b"%d" % origin.timestamp),
    ]


def read_letter(here: Origin, key: bytes | None, value: bytes | None, headers: Sequence[Header]) -> DeadLetter:
    """Return the dead letter that a record of the dead-letter topic is."""
    texts: dict[str, list[str]] = {"bp_faust.reason": [], "bp_faust.path": [], "bp_faust.detail": []}
    for name, content in headers:
        if name in texts:
            texts[name].append(content.decode(errors="replace"))
    rejections = [Rejection(*of_one) for of_one in zip(*texts.values())]  # noqa: B905 - what others wrote may differ
    counted = dict(headers).get("bp_faust.rejections", b"")
    return DeadLetter(
        origin_of(here, headers),
        rejections,
        int(counted) if counted.isdigit() else len(rejections),
        key,
        value,
        [header for header in headers if not header[0].startswith(_PREFIX)],
    )
