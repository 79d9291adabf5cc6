"""Check how Elasticsearch's answers for single documents are judged."""

from typing import Any

import pytest

from bp_faust.search.answers import Verdict, judge
from bp_faust.search.documents import Document, Entry

DOCUMENT = Document("anomalies", "d", 1, {})


def _judge(status: int, kind: str | None = None, action: str = "index") -> Verdict:
    item: dict[str, Any] = {"status": status}
    if kind:
        item["error"] = {"type": kind, "reason": "why", "caused_by": {"type": "deeper", "reason": "really"}}
    return judge([Entry(DOCUMENT, b"")], [{action: item}])


def _outcome(verdict: Verdict) -> str:
    if verdict.denied:
        return "denied"
    if verdict.postponed:
        return "later"
    return "refused" if verdict.refused else "stored"


@pytest.mark.parametrize(
    ("status", "kind", "action", "outcome"),
    [
        (200, None, "index", "stored"),
        (201, None, "index", "stored"),
        (200, None, "delete", "stored"),
        (404, None, "delete", "stored"),
        (409, "version_conflict_engine_exception", "index", "stored"),
        (409, "version_conflict_engine_exception", "delete", "stored"),
        (429, "es_rejected_execution_exception", "index", "later"),
        (429, "cluster_block_exception", "index", "later"),
        (500, "exception", "index", "later"),
        (502, "exception", "index", "later"),
        (503, "unavailable_shards_exception", "delete", "later"),
        (504, "exception", "index", "later"),
        (404, "index_not_found_exception", "index", "later"),
        (404, "index_not_found_exception", "delete", "later"),
        (400, "index_closed_exception", "index", "later"),
        (400, "document_parsing_exception", "index", "refused"),
        (400, "strict_dynamic_mapping_exception", "index", "refused"),
        (400, "illegal_argument_exception", "index", "refused"),
        (413, "too_large", "index", "refused"),
        (401, "security_exception", "index", "denied"),
        (403, "security_exception", "delete", "denied"),
    ],
)
def test_a_status_decides_what_becomes_of_a_document(status: int, kind: str, action: str, outcome: str) -> None:
    assert _outcome(_judge(status, kind, action)) == outcome


def test_a_refusal_gives_the_status_and_all_causes() -> None:
    (refused,) = _judge(400, "document_parsing_exception").refused
    assert refused.document is DOCUMENT
    assert refused.status == 400
    assert refused.reason == "document_parsing_exception: why; deeper: really"


def test_what_is_logged_of_a_postponed_document_quotes_nothing_of_it() -> None:
    assert _judge(429, "es_rejected_execution_exception").cause == "429 es_rejected_execution_exception"


def test_items_are_matched_to_documents_by_their_order() -> None:
    entries = [Entry(Document("i", str(number), 1, {}), b"") for number in range(4)]
    statuses = [201, 400, 429, 200]
    verdict = judge(entries, [{"index": {"status": status, "error": {"type": "t"}}} for status in statuses])
    assert [refused.document.id for refused in verdict.refused] == ["1"]
    assert verdict.postponed == [entries[2]]
