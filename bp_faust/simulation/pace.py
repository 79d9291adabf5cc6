"""Say which readings are due when somebody looks now and then."""

from __future__ import annotations

#: What was due longer ago than this, in seconds, is left out: the process was asleep, or another one did the work.
_LONGEST_AGO = 5.0


class Pace:
    """Keep an interval between readings, however often and how late somebody looks."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._next = 0.0

    def due(self, now: float) -> list[float]:
        """Return the times at which readings were due since the last look, in seconds since 1970; at first it is now.

        ``now`` is in seconds since 1970 too.
        """
        if self._next < now - max(_LONGEST_AGO, 2 * self._interval) or self._next > now + self._interval:
            self._next = now
        times = []
        while self._next <= now:
            times.append(self._next)
            self._next += self._interval
        return times
