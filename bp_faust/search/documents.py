"""Turn documents into the lines of Elasticsearch's bulk request, in pieces of bounded size."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson
from msgspec import Struct


class Document(Struct, frozen=True):
    """Hold one version of one Elasticsearch document."""

    index: str
    #: At most 512 bytes in UTF-8, which is Elasticsearch's own limit.
    id: str
    #: The external version, 0 or more: Elasticsearch keeps a document only where this is above the version it has.
    version: int
    #: The JSON object, encoded or not; None deletes the document.
    source: bytes | dict[str, Any] | None


class Refused(Struct, frozen=True):
    """Say why Elasticsearch will never take a document."""

    document: Document
    #: The HTTP status that Elasticsearch gave for it.
    status: int
    #: Elasticsearch's own words. They may quote the document, so they belong in a dead-letter topic and in no log.
    reason: str


class Entry(NamedTuple):
    """Pair a document with its lines of the request body."""

    document: Document
    lines: bytes


def newest(documents: Iterable[Document]) -> list[Document]:
    """Keep the highest version of each document, in the order in which the documents first came."""
    kept: dict[tuple[str, str], Document] = {}
    for document in documents:
        key = (document.index, document.id)
        known = kept.get(key)
        if known is None or document.version > known.version:
            kept[key] = document
    return list(kept.values())


def encode(document: Document) -> bytes:
    """Write the action line and, unless it is a deletion, the source line; each ends with a line feed.

    Raises TypeError where the source is a dict that has no JSON form.
    """
    action = "delete" if document.source is None else "index"
    head = b'{"%b":{"_index":%b,"_id":%b,"version":%d,"version_type":"external"}}\n' % (
        action.encode(),
        orjson.dumps(document.index),
        orjson.dumps(document.id),
        document.version,
    )
    if document.source is None:
        return head
    source = document.source if isinstance(document.source, bytes) else orjson.dumps(document.source)
    # A line feed ends a line of the request; within valid JSON it is only white space, and a space does as well.
    return head + source.replace(b"\n", b" ") + b"\n"


def requests(documents: Iterable[Document], max_documents: int, max_bytes: int) -> Iterator[list[Entry]]:
    """Encode documents lazily into requests of at most max_documents and max_bytes (a single one may be larger)."""
    entries: list[Entry] = []
    size = 0
    for document in documents:
        lines = encode(document)
        if entries and (len(entries) == max_documents or size + len(lines) > max_bytes):
            yield entries
            entries, size = [], 0
        entries.append(Entry(document, lines))
        size += len(lines)
    if entries:
        yield entries
