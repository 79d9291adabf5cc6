"""Since when readings have been under way travels with the first record that was made of them."""

from __future__ import annotations

from bp_faust import since_header


def test_the_oldest_time_comes_back() -> None:
    first, second = since_header.put([(b"a", b"1", [("x", b"y")]), (b"b", b"2", [])], 1_700_000_000.25)
    assert (first[:2], first[2][0], second) == ((b"a", b"1"), ("x", b"y"), (b"b", b"2", []))
    (later, _) = since_header.put([(b"a", b"1", []), (b"b", b"2", [])], 1_700_000_009.0)
    assert since_header.read([later[2], first[2], second[2]]) == 1_700_000_000.25


def test_without_a_time_nothing_is_said_and_what_others_wrote_is_no_time() -> None:
    records = [(b"a", b"1", [])]
    assert since_header.put(records, None) is records
    assert since_header.put([], 1.0) == []
    assert since_header.read([[("bp_faust.since", b"soon"), ("since", b"1")]]) is None
