"""One overview for all who look: peers are asked once, the slow miss some, and nothing goes on when nobody looks."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from bp_faust.views.live_overview import Broadcast, PeerAnswers


async def nothing() -> None:
    """Do nothing."""


async def test_texts_are_made_once_for_all_who_listen_and_only_while_they_do() -> None:
    made = 0
    ended = asyncio.Event()

    async def make() -> str:
        nonlocal made
        made += 1
        return str(made)

    async def end() -> None:
        ended.set()

    broadcast = Broadcast(make, end, every=0.01)

    async def listen() -> list[str]:
        heard: list[str] = []
        async with aclosing(broadcast.listen()) as texts:
            async for text in texts:
                heard.append(text)
                if len(heard) == 5:
                    return heard
        return heard

    heard = await asyncio.wait_for(asyncio.gather(*(listen() for _ in range(10))), 30)
    for one in heard:
        assert one == sorted(set(one), key=int)
    assert made <= max(int(one[-1]) for one in heard) + 1
    assert ended.is_set()
    # Whoever comes later begins anew, with what is true then.
    before = made
    assert (await asyncio.wait_for(listen(), 30))[0] == str(before + 1)


async def test_who_is_slow_hears_the_latest_and_holds_nobody_up() -> None:
    made = 0

    async def make() -> str:
        nonlocal made
        made += 1
        return str(made)

    broadcast = Broadcast(make, nothing, every=0.001)
    async with aclosing(broadcast.listen()) as slow, aclosing(broadcast.listen()) as quick:
        first = int(await anext(slow))
        for _ in range(20):
            await asyncio.wait_for(anext(quick), 30)
        assert int(await asyncio.wait_for(anext(slow), 30)) >= first + 19


async def test_all_listeners_end_where_a_text_cannot_be_made(caplog: pytest.LogCaptureFixture) -> None:
    async def make() -> str:
        raise RuntimeError("no")

    broadcast = Broadcast(make, nothing, every=0.01)

    async def listen() -> list[str]:
        return [text async for text in broadcast.listen()]

    assert await asyncio.wait_for(asyncio.gather(listen(), listen()), 30) == [[], []]
    assert "cannot be put together" in caplog.text


async def test_all_listeners_end_where_there_are_no_more_texts() -> None:
    texts = iter(["first", "last"])

    async def make() -> str | None:
        return next(texts, None)

    broadcast = Broadcast(make, nothing, every=0.01)
    heard = await asyncio.wait_for(_all(broadcast), 30)
    assert heard == ["first", "last"]


async def _all(broadcast: Broadcast) -> list[str]:
    return [text async for text in broadcast.listen()]


async def test_a_peer_is_asked_again_after_nobody_listened() -> None:
    asked: list[str] = []

    async def ask(peer: str) -> str | None:
        asked.append(peer)
        return peer

    peers = PeerAnswers(ask)
    getting = asyncio.create_task(peers.get(["a"], seconds=30))
    await asyncio.sleep(0)  # the task that asks is made, and has not begun
    await peers.close()
    await getting
    assert await peers.get(["a"], seconds=30) == (["a"], [])


async def test_a_peer_that_does_not_answer_is_asked_once_at_a_time_and_is_missing() -> None:
    asked: list[str] = []
    now = 0.0
    silence = asyncio.Event()

    async def ask(peer: str) -> str | None:
        asked.append(peer)
        if peer == "silent":
            await silence.wait()
        return None if peer == "refusing" else f"{peer} at {now}"

    peers = PeerAnswers(ask, clock=lambda: now)
    names = ["good", "silent", "refusing"]
    for _ in range(3):
        assert await peers.get(names, seconds=0.01) == (["good at 0.0"], ["silent", "refusing"])
    assert asked.count("silent") == 1
    assert asked.count("good") == 3
    silence.set()
    await asyncio.sleep(0)
    assert await peers.get(names, seconds=30) == (["good at 0.0", "silent at 0.0"], ["refusing"])
    await peers.close()


async def test_an_answer_stands_for_some_seconds_only() -> None:
    now, silent = 0.0, False

    async def ask(peer: str) -> str | None:
        if silent:
            await asyncio.Event().wait()
        return peer

    peers = PeerAnswers(ask, clock=lambda: now)
    assert await peers.get(["a"], seconds=30) == (["a"], [])
    now, silent = 2.9, True
    assert await peers.get(["a"], seconds=0.01) == (["a"], [])
    now = 3.1
    assert await peers.get(["a"], seconds=0.01) == ([], ["a"])
    await peers.close()
