"""Tell in the log of refused records: a line for many of them, as one for each would fill a disk."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from mode.utils.logging import get_logger

from bp_faust.dead_letters.letters import Origin

logger = get_logger(__name__)

#: How often there is a line at most, in seconds.
TELL_SECONDS = 10.0


class RefusalLog:
    """Sum up what was refused since the last line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told = float("-inf")
        self._refused = 0
        self._reasons: Counter[str] = Counter()
        self._first: Origin | None = None

    def note(self, where: Origin, reasons: Iterable[str]) -> None:
        """Note a record that was refused at a place, for some reasons."""
        self._refused += 1
        self._reasons.update(reasons)
        if self._first is None:
            self._first = where

    def tell(self) -> None:
        """Tell of what was noted, unless there was nothing or the last line is not long ago."""
        if self._first is None or self._clock() < self._told + TELL_SECONDS:
            return
        logger.warning(
            "Refused records went to the dead letters, the first of them from %s; the command `dlq list` shows them.",
            self._first,
            extra={
                "refused": self._refused,
                "reasons": dict(self._reasons.most_common()),
                "topic": self._first.topic,
                "partition": self._first.partition,
                "offset": self._first.offset,
            },
        )
        self._told = self._clock()
        self._refused, self._reasons, self._first = 0, Counter(), None


refusal_log = RefusalLog()
