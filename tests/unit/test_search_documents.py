"""Check how documents become bulk requests."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bp_faust.search.documents import Document, encode, newest, requests

documents = st.builds(
    Document,
    index=st.sampled_from(["anomalies", "others"]),
    id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
    version=st.integers(0, 20),
    source=st.none() | st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(0, 9) | st.just("a\nb")),
)


@given(documents)
def test_a_document_is_an_action_line_and_unless_deleted_a_source_line(document: Document) -> None:
    lines = encode(document).split(b"\n")
    assert lines.pop() == b""
    address = {
        "_index": document.index,
        "_id": document.id,
        "version": document.version,
        "version_type": "external",
    }
    if document.source is None:
        assert [orjson.loads(line) for line in lines] == [{"delete": address}]
    else:
        assert [orjson.loads(line) for line in lines] == [{"index": address}, document.source]


def test_encoded_sources_are_sent_as_they_are_but_on_one_line() -> None:
    assert encode(Document("i", "d", 1, b'{"a":1.50}')).endswith(b'\n{"a":1.50}\n')
    assert encode(Document("i", "d", 1, b'{\n"a": 1\n}')).endswith(b'\n{ "a": 1 }\n')


def test_a_source_without_a_json_form_is_a_programming_error() -> None:
    with pytest.raises(TypeError):
        encode(Document("i", "d", 1, {"a": object()}))


@given(st.lists(documents))
def test_only_the_highest_version_of_each_document_is_kept(given_documents: list[Document]) -> None:
    kept = newest(given_documents)
    highest: dict[tuple[str, str], int] = {}
    for document in given_documents:
        key = (document.index, document.id)
        highest[key] = max(document.version, highest.get(key, 0))
    assert {(document.index, document.id): document.version for document in kept} == highest
    assert len(kept) == len(highest)


@given(st.lists(documents), st.integers(1, 5), st.integers(1, 400))
def test_requests_hold_everything_in_order_within_their_bounds(
    given_documents: list[Document], max_documents: int, max_bytes: int
) -> None:
    made = list(requests(given_documents, max_documents, max_bytes))
    assert [entry.document for entries in made for entry in entries] == given_documents
    assert all(entry.lines == encode(entry.document) for entries in made for entry in entries)
    for entries in made:
        assert 0 < len(entries) <= max_documents
        assert len(entries) == 1 or sum(len(entry.lines) for entry in entries) <= max_bytes
