"""End the process when something in it has ended or stalled without a word: a supervisor starts it again."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mode.utils.logging import get_logger

logger = get_logger(__name__)

#: How long a duty may give no sign, in seconds, where it asked for no more.
SILENCE_SECONDS = 6.0

#: After how long without a sign the process is ended, in seconds; and how long after one was due, at least.
_GONE_SECONDS = 66.0
_OVERDUE_SECONDS = 10.0

#: The exit status of a process that was ended for it (os.EX_SOFTWARE).
EXIT_STATUS = 70

_LOOK_SECONDS = 1.0

#: A thread that slept for so much longer than it asked for was frozen, and everything else with it.
_FROZEN_SECONDS = 3.0

#: After how long without a look the process is ended from outside of Python: something holds its global lock.
_BLOCKED_SECONDS = 85.0

#: How often Kafka is asked while something is overdue, in seconds.
_ASK_SECONDS = 5.0


#: The duty that a task works for, so that what it calls can give signs of it; and whether anybody waits for it still.
_current_duty: ContextVar[tuple[str, Callable[[], bool]] | None] = ContextVar("current_duty", default=None)


class Watchdog:
    """Keep what must give signs of itself, and until when the next one must come.

    A duty is named as in "no sign of the event loop". Signs may come from any thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: By duty, when the last sign came, and until when the next one must, in seconds of the clock.
        self._signs: dict[str, tuple[float, float]] = {}

    def expect(self, duty: str, seconds: float = SILENCE_SECONDS) -> None:
        """Take this for a sign, and expect the next one within some seconds."""
        now = self._clock()
        self._signs[duty] = (now, now + seconds)

    def expect_still(self, duty: str, seconds: float = SILENCE_SECONDS) -> None:
        """Expect a sign within some seconds, unless one is expected already."""
        now = self._clock()
        self._signs.setdefault(duty, (now, now + seconds))

    def forget(self, duty: str) -> None:
        """Expect nothing of a duty any more."""
        self._signs.pop(duty, None)

    def forget_all(self, prefix: str) -> None:
        """Expect nothing any more of the duties whose names begin like this."""
        for duty in list(self._signs):
            if duty.startswith(prefix):
                self.forget(duty)

    @contextmanager
    def on_duty(self, duty: str, is_awaited: Callable[[], bool]) -> Iterator[None]:
        """Let ``still_at_work`` give signs of this duty, as long as it is awaited."""
        token = _current_duty.set((duty, is_awaited))
        try:
            yield
        finally:
            _current_duty.reset(token)

    def still_at_work(self, seconds: float = SILENCE_SECONDS) -> None:
        """Give a sign of the duty that the caller works for, and expect the next one within some seconds."""
        current = _current_duty.get()
        if current is None:
            return
        duty, is_awaited = current
        if is_awaited():
            self.expect(duty, seconds)

    def overdue(self) -> set[str]:
        """Return the duties whose sign has not come in time."""
        now = self._clock()
        return {duty for duty, (_, due) in list(self._signs.items()) if now >= due}

    def gone(self) -> set[str]:
        """Return the duties whose sign has been overdue for so long that it will not come any more."""
        now = self._clock()
        return {
            duty
            for duty, (last, due) in list(self._signs.items())
            if now >= max(last + _GONE_SECONDS, due + _OVERDUE_SECONDS)
        }

    def excuse(self, seconds: float) -> None:
        """Put all duties off, as after a time in which nobody could give a sign."""
        for duty, (last, due) in list(self._signs.items()):
            if duty in self._signs:
                self._signs[duty] = (last + seconds, due + seconds)


class WatchdogThread(threading.Thread):
    """Look at a watchdog's duties every second, beside the event loop, which may be what is stuck."""

    def __init__(self, watchdog: Watchdog, kafka_answers: Callable[[], bool]) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._watchdog = watchdog
        self._kafka_answers = kafka_answers
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        faulthandler.cancel_dump_traceback_later()

    def run(self) -> None:
        """Look until stopped; end the process where a duty stays overdue although Kafka answers."""
        told: set[str] = set()
        looked = asked = time.monotonic()
        unanswered = float("-inf")
        while not self._stopping.is_set():
            faulthandler.dump_traceback_later(_BLOCKED_SECONDS, exit=True, file=sys.__stderr__)
            if self._stopping.wait(_LOOK_SECONDS):
                return
            now = time.monotonic()
            if now - looked > _LOOK_SECONDS + _FROZEN_SECONDS:
                self._watchdog.excuse(now - looked)
            overdue = self._watchdog.overdue()
            for duty in sorted(overdue - told):
                logger.warning("Not ready: no sign of %s.", duty, extra={"duty": duty})
            for duty in sorted(told - overdue):
                logger.info("No longer without a sign of %s.", duty, extra={"duty": duty})
            told = overdue
            if overdue and now - asked >= _ASK_SECONDS:
                # Nobody can do anything without Kafka; when it is back, all the time that there is begins again.
                if not self._kafka_answers():
                    unanswered = time.monotonic()
                asked = time.monotonic()
            looked = time.monotonic()
            gone = self._watchdog.gone()
            if gone and looked >= unanswered + _GONE_SECONDS:
                self._end(gone)

    def _end(self, gone: set[str]) -> None:
        silent = ", ".join(sorted(gone))
        logger.critical(
            "The worker ends, as there is no sign of %s. What is not committed will be read again.",
            silent,
            extra={"duty": silent},
        )
        # Not sys.stderr, in whose place Faust has put its log.
        faulthandler.dump_traceback(file=sys.__stderr__, all_threads=True)
        os._exit(EXIT_STATUS)
