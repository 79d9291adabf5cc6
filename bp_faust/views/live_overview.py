"""Put the overview of the installation together once a second, while somebody looks: once for all who do."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

from mode.utils.logging import get_logger

logger = get_logger(__name__)

#: How often, in seconds.
_EVERY_SECONDS = 1.0

#: For how much of that time peers are waited for; who is slower is in the next overview.
_WAIT_SECONDS = 0.7

#: How old a peer's last answer may be, in seconds; then it counts as one that does not answer.
_FRESH_SECONDS = 3.0

Peer = TypeVar("Peer")
Answer = TypeVar("Answer")


class PeerAnswers(Generic[Peer, Answer]):
    """Keep the last answers of peers, asking each at most once at a time."""

    def __init__(
        self, ask: Callable[[Peer], Awaitable[Answer | None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._asking: dict[Peer, asyncio.Task[None]] = {}
        self._answers: dict[Peer, tuple[float, Answer]] = {}

    async def get(self, peers: list[Peer], seconds: float = _WAIT_SECONDS) -> tuple[list[Answer], list[Peer]]:
        """Ask peers and wait so long; return the answers that are fresh, and the peers that have none."""
        for gone in set(self._answers) - set(peers):
            del self._answers[gone]
        for peer in peers:
            if peer not in self._asking or self._asking[peer].done():
                self._asking[peer] = asyncio.create_task(self._ask_one(peer))
        if peers:
            await asyncio.wait([self._asking[peer] for peer in peers], timeout=seconds)
        oldest = self._clock() - _FRESH_SECONDS
        fresh = [peer for peer in peers if peer in self._answers and self._answers[peer][0] >= oldest]
        return [self._answers[peer][1] for peer in fresh], [peer for peer in peers if peer not in fresh]

    async def _ask_one(self, peer: Peer) -> None:
        answer = await self._ask(peer)
        if answer is not None:
            self._answers[peer] = (self._clock(), answer)

    async def close(self) -> None:
        """Ask no more."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        self._asking.clear()


class Broadcast:
    """Make a text again and again while somebody listens; who is slow misses some, and holds nobody up."""

    def __init__(
        self,
        make: Callable[[], Awaitable[str | None]],
        on_end: Callable[[], Awaitable[None]],
        every: float = _EVERY_SECONDS,
    ) -> None:
        """Make a text every so many seconds until it is None; ``on_end`` is called when nobody listens any more."""
        self._make = make
        self._on_end = on_end
        self._every = every
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._number = 0
        self._text: str | None = None

    async def listen(self) -> AsyncGenerator[str, None]:
        """Yield the latest text, and those that are made from now on; end where there are no more."""
        self._listeners += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        task, seen = self._task, self._number - (self._text is not None)
        try:
            while True:
                async with self._changed:
                    while self._number == seen and task is self._task:
                        await self._changed.wait()
                if task is not self._task or self._text is None:
                    return
                seen = self._number
                yield self._text
        finally:
            self._listeners -= 1
            if not self._listeners and self._task is not None:
                self._task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._task

    async def _run(self) -> None:
        try:
            while True:
                begun = time.monotonic()
                self._text = await self._make()
                if self._text is None:
                    return
                self._number += 1
                async with self._changed:
                    self._changed.notify_all()
                await asyncio.sleep(max(0.0, begun + self._every - time.monotonic()))
        except Exception:
            logger.exception("The overview cannot be put together")
        finally:
            self._task = self._text = None
            await self._on_end()
            async with self._changed:
                self._changed.notify_all()
