"""Say what a dead letter is: a record that could not be used, unchanged, with where it came from and why in headers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bp_faust.models import Rejection

if TYPE_CHECKING:
    from bp_faust.engine.batches import Batch, Record

Header = tuple[str, bytes]

#: What our headers' names begin with; a record's own keep their names.
_PREFIX = "bp_faust."

#: Says that a record of the dead-letter topic is none, but a note of which were sent again; see ``replay_note``.
_REPLAYED = "bp_faust.replayed"

#: Says of a record that was sent again that somebody mended it.
_MENDED = ("bp_faust.mended", b"true")

#: How many reasons a dead letter names at most: a Bundle may hold thousands.
MOST_REASONS = 20


#: In how many digits it is told at most how many there are, where others wrote it.
_LONGEST_COUNT = 18


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
    return source_origin(here, record.headers) if record.headers else here


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


def source_origin(here: Origin, headers: Iterable[Header]) -> Origin:
    """Return the same of a record of a topic that is no dead-letter topic: replays come back to the topic they left.

    Who writes a record could else have its replay go to whichever topic the headers name.
    """
    origin = origin_of(here, headers)
    return origin if origin.topic == here.topic else here


def letter_headers(here: Origin, headers: Iterable[Header], rejections: Sequence[Rejection]) -> list[Header]:
    """Return the headers of a dead letter: the record's own, where it came from, and why it could not be used."""
    headers = list(headers)
    origin = source_origin(here, headers)
    found = [header for header in headers if not header[0].startswith(_PREFIX)]
    found += _origin_headers(origin)
    found.append(("bp_faust.rejections", b"%d" % len(rejections)))
    for rejection in rejections[:MOST_REASONS]:
        found.append(("bp_faust.reason", rejection.reason.encode()))
        found.append(("bp_faust.path", rejection.path.encode()))
        found.append(("bp_faust.detail", rejection.detail.encode()))
    return found


def replay_headers(letter: DeadLetter, *, mended: bool = False) -> list[Header]:
    """Return the headers with which a dead letter is sent again; its readings are then the same as the first time."""
    return [*letter.headers, *_origin_headers(letter.origin), *([_MENDED] if mended else [])]


def replay_note(origins: Iterable[Origin]) -> tuple[bytes, list[Header]]:
    """Return value and headers of the note, for their partition of the dead-letter topic, that letters were sent again.

    So are all letters of these origins that are older than the note.
    """
    return msgspec.json.encode([str(origin) for origin in origins]), [(_REPLAYED, b"")]


def is_replay_note(headers: Iterable[Header]) -> bool:
    """Tell whether a record of the dead-letter topic is such a note."""
    return any(name == _REPLAYED for name, _ in headers)


def read_replay_note(value: bytes | None) -> list[str]:
    """Return whence the letters came that were sent again, as topic/partition/offset; none where others wrote it."""
    try:
        return msgspec.json.decode(value or b"", type=list[str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


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
    counted = dict(headers).get("bp_faust.rejections", b"")[:_LONGEST_COUNT]
    return DeadLetter(
        origin_of(here, headers),
        rejections,
        int(counted) if counted.isdigit() else len(rejections),
        key,
        value,
        [header for header in headers if not header[0].startswith(_PREFIX)],
    )
