"""Be the worker's app, with a wound that a test asks for: something in it ends or stalls without a word.

Run as ``faust -A tests.chaos.wounded worker``; when the file that WOUND_FILE names appears, the wound named in it is
dealt.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bp_faust.app import app


async def _for_ever(*_: Any, **__: Any) -> None:
    await asyncio.Event().wait()


def _cancel_actor(name: str) -> Callable[[], None]:
    def deal() -> None:
        for agent in app.agents.values():
            if agent.name.endswith(name):
                # Else Faust begins an agent again that was merely cancelled.
                agent.supervisor._stopped.set()
                for actor in agent._actors:
                    actor.actor_task.cancel()

    return deal


def _cancel_futures(service: Callable[[], Any], named: str) -> Callable[[], None]:
    """Cancel the futures of a service whose coroutine's, or its task's, name holds a word."""

    def deal() -> None:
        found = [future for future in service()._futures if named in repr(future)]
        assert found, f"No future of {service()!r} is named {named}: {list(service()._futures)}"
        for future in found:
            future.cancel()

    return deal


def _in_consumer_thread(work: Callable[[Any], None]) -> Callable[[], None]:
    def deal() -> None:
        thread = app.consumer._thread
        thread.thread_loop.call_soon_threadsafe(work, thread)

    return deal


def _stall(owner: Callable[[], Any], method: str) -> Callable[[], None]:
    return lambda: setattr(owner(), method, _for_ever)


def _stall_work() -> None:
    from bp_faust.sinks import anomaly_sink

    async def stalled(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    anomaly_sink.write = stalled  # type: ignore[assignment,method-assign]


def _cancel_senders() -> None:
    for producer in app.transactions._producers.values():
        producer._sender._sender_task.cancel()


def _block_interpreter() -> None:
    # A search that takes longer than anyone lives, and never lets another thread run.
    re.match(r"(a+)+$", "a" * 60 + "b")


WOUNDS: dict[str, Callable[[], None]] = {
    **{
        f"agent {name} ended": _cancel_actor(name)
        for name in ("intake", "monitor", "index", "count_refusals", "apply_settings", "index_alerts", "index_refusals")
    },
    "work on partitions ended": _cancel_futures(lambda: app, "work_through"),
    "transactions stall": _stall(lambda: app.transactions, "commit"),
    "transactional senders ended": _cancel_senders,
    "the sink stalls": _stall_work,
    "a timer ended": _cancel_futures(lambda: app, "simulate"),
    "a timer's work stalls": lambda: setattr(_readings(), "send", _for_ever),
    "the fetcher ended": _cancel_futures(lambda: app._fetcher, "_fetcher"),
    "the fetcher stalls": _stall(lambda: app.consumer, "_getmany"),
    "the flow stopped": lambda: app.consumer.stop_flow(),
    "offsets are committed no more": _cancel_futures(lambda: app.consumer, "_commit_handler"),
    "the look at the lag ended": _cancel_futures(lambda: app.consumer, "_look_at_lag"),
    "the event loop is blocked": lambda: time.sleep(3600),
    "the interpreter is blocked": _block_interpreter,
    "the heart stopped": _cancel_futures(lambda: app, "_beat"),
    "the watchdog ended": lambda: app._watchdog_thread.stop(),  # type: ignore[union-attr]
    "the consumer's thread ended": _in_consumer_thread(lambda thread: thread.thread_loop.stop()),
    "the consumer's thread is blocked": _in_consumer_thread(lambda thread: time.sleep(3600)),
    "the Kafka consumer's fetcher ended": _in_consumer_thread(
        lambda thread: thread._consumer._fetcher._fetch_task.cancel()
    ),
    "the Kafka consumer's coordination ended": _in_consumer_thread(
        lambda thread: thread._consumer._coordinator._coordination_task.cancel()
    ),
    "the Kafka consumer's heartbeat ended": _in_consumer_thread(
        lambda thread: thread._consumer._coordinator._heartbeat_task.cancel()
    ),
}


def _readings() -> Any:
    from bp_faust import topics

    return topics.readings


def _wait_for_wound(path: Path, loop: asyncio.AbstractEventLoop) -> None:
    while not (path.exists() and path.read_text()):
        time.sleep(0.05)
    loop.call_soon_threadsafe(WOUNDS[path.read_text()])


if "WOUND_FILE" in os.environ:

    @app.task
    async def wait_for_wound() -> None:
        """Wait for the file beside the event loop."""
        where = Path(os.environ["WOUND_FILE"])
        threading.Thread(target=_wait_for_wound, args=(where, asyncio.get_running_loop()), daemon=True).start()
