"""Judge what Elasticsearch answered for each document of a bulk request."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from bp_faust.search.documents import Document, Entry, Refused

#: Statuses of a whole answer, or of an item, that say "later"; so do all from 500 on.
LATER = frozenset({408, 429})
#: Statuses that say "not you".
DENIED = frozenset({401, 403})
#: Errors that come with a 4xx status though they speak of the index and pass once somebody opens or creates it.
_OF_THE_INDEX = frozenset({"index_not_found_exception", "index_closed_exception", "cluster_block_exception"})


class Verdict(Struct):
    """Hold what became of the documents of one request; those in neither list are safely stored."""

    #: Worth sending again, as they are.
    postponed: list[Entry]
    refused: list[Refused]
    #: Why the first of the postponed was: a status and an error's type, free of document content.
    cause: str = ""
    #: The status and error type that denied us the index, or None.
    denied: str | None = None


def is_later(status: int) -> bool:
    """Tell whether a status asks to try again."""
    return status in LATER or status >= 500


def judge(entries: Sequence[Entry], items: Sequence[Mapping[str, Mapping[str, Any]]]) -> Verdict:
    """Sort the entries of a bulk request by the items of its answer, which stand in the same order.

    A version conflict (409) counts as stored, because the index then holds the same or a newer version; so does a
    deletion of what is not there (404).
    """
    verdict = Verdict([], [])
    for entry, item in zip(entries, items, strict=True):
        ((action, result),) = item.items()
        status: int = result["status"]
        if status < 300 or status == 409:
            continue
        error = result.get("error")
        if status == 404 and action == "delete" and not error:
            continue
        kind = error_type(error)
        cause = f"{status} {kind}"
        if is_later(status) or kind in _OF_THE_INDEX:
            verdict.cause = verdict.cause or cause
            verdict.postponed.append(entry)
        elif status in DENIED:
            verdict.denied = verdict.denied or cause
        else:
            verdict.refused.append(refusal(entry.document, status, error))
    return verdict


def error_type(error: object) -> str:
    """Name an Elasticsearch error by its type, which never holds document content."""
    return str(error.get("type", "error")) if isinstance(error, Mapping) else "error"


def refusal(document: Document, status: int, error: object) -> Refused:
    """Build the final word on a document from Elasticsearch's error object, its causes included."""
    reasons = []
    while isinstance(error, Mapping):
        reasons.append(f"{error.get('type')}: {error.get('reason')}")
        error = error.get("caused_by")
    return Refused(document, status, "; ".join(reasons) or str(error))
