"""A dead letter keeps its record, and says where it came from however often it was replayed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bp_faust.dead_letters.letters import (
    MOST_REASONS,
    Origin,
    is_replay_note,
    letter_headers,
    origin_of,
    read_letter,
    read_replay_note,
    replay_headers,
    replay_note,
    source_origin,
)
from bp_faust.models import Rejection

ORIGIN = Origin("readings", 2, 17, 1_700_000_000_123)
LATER = Origin("readings", 0, 900, 1_800_000_000_000)

own_headers = st.lists(
    st.tuples(st.text(max_size=9).filter(lambda name: not name.startswith("bp_faust.")), st.binary(max_size=9))
)
rejections = st.lists(
    st.builds(Rejection, st.text(max_size=9), st.text(max_size=9), st.text(max_size=9)), min_size=1, max_size=30
)


@given(own_headers, rejections, st.none() | st.binary(), st.none() | st.binary())
def test_a_letter_is_read_as_it_was_written(
    headers: list[tuple[str, bytes]], found: list[Rejection], key: bytes | None, value: bytes | None
) -> None:
    letter = read_letter(LATER, key, value, letter_headers(ORIGIN, headers, found))
    assert letter == (ORIGIN, found[:MOST_REASONS], len(found), key, value, headers)


@given(own_headers, rejections)
def test_a_replayed_record_comes_from_where_it_first_came_in(
    headers: list[tuple[str, bytes]], found: list[Rejection]
) -> None:
    letter = read_letter(LATER, None, b"", letter_headers(ORIGIN, headers, found))
    again = replay_headers(letter)
    assert origin_of(LATER, again) == ORIGIN
    refused_again = read_letter(LATER, None, b"", letter_headers(LATER, again, found))
    assert refused_again == letter


def test_what_is_mended_says_so_and_keeps_its_place() -> None:
    letter = read_letter(LATER, None, b"", letter_headers(ORIGIN, [("trace", b"1")], [Rejection("a", "b", "c")]))
    mended = replay_headers(letter, mended=True)
    assert mended == [*replay_headers(letter), ("bp_faust.mended", b"true")]
    assert source_origin(LATER, mended) == ORIGIN
    refused_again = read_letter(LATER, None, b"", letter_headers(LATER, mended, [Rejection("a", "b", "c")]))
    assert refused_again == letter


def test_no_record_can_say_that_it_came_from_another_topic() -> None:
    elsewhere = replay_headers(read_letter(LATER, None, b"", letter_headers(ORIGIN, [], [Rejection("a", "b", "c")])))
    here = LATER._replace(topic="other")
    assert source_origin(here, elsewhere) == here
    assert origin_of(here, letter_headers(here, elsewhere, [Rejection("a", "b", "c")])) == here


@given(st.lists(st.builds(Origin, st.text(), st.integers(), st.integers(), st.just(0))), st.binary())
def test_a_note_of_replays_is_no_letter_and_harmless_if_others_wrote_it(origins: list[Origin], other: bytes) -> None:
    value, headers = replay_note(origins)
    assert is_replay_note(headers)
    assert read_replay_note(value) == [str(origin) for origin in origins]
    assert not is_replay_note(letter_headers(ORIGIN, headers, [Rejection("a", "b", "c")]))
    assert all(isinstance(origin, str) for origin in read_replay_note(other))


@given(st.lists(st.tuples(st.sampled_from(["bp_faust.topic", "bp_faust.offset", "bp_faust.rejections"]), st.binary())))
def test_headers_that_others_wrote_do_no_harm(headers: list[tuple[str, bytes]]) -> None:
    assert origin_of(LATER, headers) == LATER
    assert read_letter(LATER, None, None, headers).rejections == []
    letter_headers(LATER, headers, [Rejection("a", "b", "c")])


@pytest.mark.parametrize("told", [b"", b"-1", b"many", b"9" * 400, b"9" * 5000])
def test_how_many_reasons_others_say_there_are_is_a_number_that_can_be_told(told: bytes) -> None:
    counted = read_letter(LATER, None, None, [("bp_faust.rejections", told)]).rejected
    assert 0 <= counted < 1 << 63


@pytest.mark.parametrize("number", [b"-2", b"9223372036854775808", b"9" * 400])
@pytest.mark.parametrize("name", ["bp_faust.partition", "bp_faust.offset", "bp_faust.timestamp"])
def test_an_origin_that_kafka_cannot_have_is_not_believed(name: str, number: bytes) -> None:
    headers = letter_headers(ORIGIN, [], [Rejection("a", "b", "c")])
    assert origin_of(LATER, headers) == ORIGIN
    forged = [(known, number if known == name else content) for known, content in headers]
    assert origin_of(LATER, forged) == LATER
