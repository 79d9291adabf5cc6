"""Tell how a worker stands, miss what in it gives no sign, and stop it rather than go on after an error."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import faust
from faust.types import TP
from mode.utils.logging import get_logger
from mode.utils.times import Seconds, want_seconds

from .broker import broker_answers
from .disk import require_space
from .errors import StateError, WatchdogError
from .recovery import ChangelogTableManager
from .transport import BatchConsumer
from .watchdog import EXIT_STATUS, SILENCE_SECONDS, Watchdog, WatchdogThread
from .worker import STOP_SECONDS, BatchWorker, end_process_after

logger = get_logger(__name__)

#: How often the event loop gives a sign, in seconds.
_BEAT_SECONDS = 1.0


class SupervisedApp(faust.App):
    """Be a Faust App that is ready only while everything in it is at work, and that stops after an error."""

    consumer: BatchConsumer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        #: The names of the agents that read each batched topic, by topic name.
        self.batched_topics: dict[str, set[str]] = {}
        #: What made the worker stop, None while all is well.
        self.failure: BaseException | None = None
        #: What in this worker must give signs of itself.
        self.watchdog = Watchdog()
        #: What cannot be done for now, and why: a sentence for whoever runs the worker. All else goes on.
        self.hindrances: dict[str, str] = {}
        self._watchdog_thread: WatchdogThread | None = None
        super().__init__(*args, **kwargs)

    @property
    def is_ready(self) -> bool:
        """Tell whether tables are up to date, agents are at work, and nothing is overdue or hindered."""
        return self.has_started and not self.hindrances and not self.watchdog.overdue()

    @property
    def entries_to_recover(self) -> int:
        """Return how many changelog entries are still to be read before the agents can begin."""
        return cast(ChangelogTableManager, self.tables).recovery.entries_left

    @property
    def entries_of_recovery(self) -> int:
        """Return how many changelog entries the recovery under way has to read in all, 0 while there is none."""
        return cast(ChangelogTableManager, self.tables).recovery.entries_in_all

    @property
    def overdue(self) -> list[str]:
        """Return what has not given a sign in time, in order."""
        return sorted(self.watchdog.overdue())

    @property
    def has_started(self) -> bool:
        """Tell whether tables are up to date and agents are at work."""
        return (
            self.failure is None
            and not self.should_stop
            and not self.rebalancing
            and not self.in_recovery
            and self.tables.actives_ready
            and self.consumer.flow_active
        )

    @property
    def assigned(self) -> dict[str, list[int]]:
        """Return the partitions of batched topics that this worker has or is about to have, by topic."""
        return self.batched(self.assignor.assigned_actives())

    def batched(self, tps: Iterable[TP]) -> dict[str, list[int]]:
        """Return those partitions among some that are of batched topics, by topic and in order."""
        found: dict[str, list[int]] = {}
        for tp in sorted(tps):
            if tp.topic in self.batched_topics:
                found.setdefault(tp.topic, []).append(tp.partition)
        return found

    @property
    def lag(self) -> Mapping[TP, int]:
        """Return how many offsets each assigned partition of a batched topic was behind at the last look."""
        return self.consumer.lag

    @contextlib.contextmanager
    def _without_end(self, duty: str) -> Iterator[None]:
        """Miss what ends within the block, unless the worker stops."""
        self.watchdog.forget(duty)
        try:
            yield
        finally:
            if not self.should_stop:
                self.watchdog.expect(duty, 0)

    async def itertimer(self, interval: Seconds, *, name: str = "", **kwargs: Any) -> AsyncIterator[float]:
        """Count seconds as Faust does, and miss a timer that ends, or whose work does."""
        duty = f"timer {name}"
        with self._without_end(duty):
            async for seconds in super().itertimer(interval, name=name, **kwargs):
                self.watchdog.expect(duty)
                yield seconds
                self.watchdog.expect(duty, want_seconds(interval) + SILENCE_SECONDS)

    def _start_watchdog(self) -> None:
        if self._worker is not None:
            self._watchdog_thread = WatchdogThread(self.watchdog, lambda: broker_answers(self))
            self._watchdog_thread.start()
            self.add_future(self._beat(self._watchdog_thread))

    async def _beat(self, watchdog_thread: WatchdogThread) -> None:
        """Give signs of the event loop, miss a worker that does not become ready, and look at the disk."""
        was_ready = False
        while not self.should_stop:
            self.watchdog.expect("event loop")
            was_ready = self._tell_ready(was_ready)
            if self.has_started:
                self.watchdog.forget("getting ready")
            else:
                self.watchdog.expect_still("getting ready")
            if not watchdog_thread.is_alive():
                await self.fail(WatchdogError("The watchdog has ended: start the worker again."))
            try:
                require_space(Path(self.conf.datadir))
            except StateError as exc:
                await self.fail(exc)
            await self.sleep(_BEAT_SECONDS)

    def _tell_ready(self, was_ready: bool) -> bool:
        is_ready = self.is_ready
        if is_ready and not was_ready:
            logger.info("Ready: at work on what is assigned.", extra={"assigned": self.assigned})
        elif was_ready and not is_ready:
            why = [*self.hindrances.values(), *(f"no sign of {duty}" for duty in self.overdue)]
            logger.warning("Not ready: %s.", "; ".join(why) or "partitions are handed out, or tables read up to date")
        return is_ready

    async def fail(self, reason: BaseException, **at: str | int) -> None:
        """Stop the worker with a non-zero exit status; what is not committed will be read again.

        ``at`` are fields that tell in the log where it failed.
        """
        if self.failure is None:
            self._note_failure(reason)
            kind = type(reason).__name__
            logger.critical("The worker stops: %s: %s", kind, reason, extra={"failure": kind, **at})
            await self.crash(reason)

    async def refuse(self, reason: Exception) -> None:
        """Stop a worker that cannot work the way it is set up; the reason is the last line that it prints."""
        worker = self._worker
        if self.failure is None and worker is not None:
            self.failure = reason
            worker.refuse(reason)
        else:
            await self.fail(reason)

    def _crash(self, reason: BaseException) -> None:
        # Faust comes here for what ended within one of its own services; it may then wait for ever for another one.
        self._note_failure(reason)
        super()._crash(reason)

    def _note_failure(self, reason: BaseException) -> None:
        if self.failure is None:
            self.failure = reason
            if self._worker is not None:
                end_process_after(STOP_SECONDS, EXIT_STATUS)

    @property
    def _worker(self) -> BatchWorker | None:
        """Return the worker that this process is, None where it is a command."""
        root = self.beacon.root
        return root.data if root is not None and isinstance(root.data, BatchWorker) else None

    async def on_stop(self) -> None:
        """Miss nothing any more."""
        if self._watchdog_thread is not None:
            self._watchdog_thread.stop()
        await super().on_stop()
