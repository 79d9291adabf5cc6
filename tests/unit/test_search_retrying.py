"""Check that work is tried again without end, and given up when the worker stops."""

import asyncio

import pytest

from bp_faust.search.errors import WriterStopped
from bp_faust.search.retrying import TryAgain, retrying, run_until


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


async def test_work_that_ends_gives_its_result_and_its_error() -> None:
    async def work() -> int:
        return 7

    async def broken() -> int:
        raise ZeroDivisionError

    assert await run_until(asyncio.Event(), work) == 7
    with pytest.raises(ZeroDivisionError):
        await run_until(asyncio.Event(), broken)


async def test_work_that_hangs_is_cancelled_when_the_worker_stops() -> None:
    stopping = asyncio.Event()
    cancelled = asyncio.Event()

    async def hang() -> None:
        stopping.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(WriterStopped):
        await run_until(stopping, hang)
    assert cancelled.is_set()


async def test_nothing_is_begun_once_the_worker_stops() -> None:
    stopping = asyncio.Event()
    stopping.set()

    async def work() -> None:
        pytest.fail("it was begun")

    with pytest.raises(WriterStopped):
        await run_until(stopping, work)


async def test_work_that_ends_as_the_worker_stops_still_counts() -> None:
    stopping = asyncio.Event()

    async def work() -> str:
        stopping.set()
        await asyncio.sleep(0)
        return "done"

    assert await run_until(stopping, work) == "done"
