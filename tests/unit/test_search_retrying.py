"""Check that work is tried again without end."""

import pytest

from bp_faust.search.retrying import TryAgain, retrying


async def test_it_tries_until_it_works_and_tells_each_time() -> None:
    told: list[str] = []
    tries = 0
    async for attempt in retrying("http://here:9200", told.append, wait_first=0.001, wait_longest=0.001):
        with attempt:
            tries += 1
            if tries < 4:
                raise TryAgain("answered 503")
    assert tries == 4
    assert len(told) == 3
    assert told[0].startswith("Elasticsearch at http://here:9200 answered 503; trying again in ")


async def test_another_error_is_not_tried_again() -> None:
    with pytest.raises(ZeroDivisionError):
        async for attempt in retrying("here", lambda _: None):
            with attempt:
                raise ZeroDivisionError
