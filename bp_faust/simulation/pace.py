"""Say which readings are due when somebody looks now and then."""

from __future__ import annotations

#: What was due longer ago than this, in seconds, is left out: the process was asleep, or another one did the work.
_LONGEST_AGO = 1.0


class Pace:
    """Keep an interval between readings, however often and how late somebody looks."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        #: When it began, in seconds since 1970, and how many readings were due since.
        self._begun: float | None = None
        self._count = 0

    def due(self, now: float) -> list[float]:
        """Return the times at which readings were due since the last look, in seconds since 1970; at first it is now.

        ``now`` is in seconds since 1970 too.
        """
        if self._begun is None or self._next() > now + self._interval:
            # Nobody looked before, or the clock was set back.
            self._begun, self._count = now, 0
        earliest = now - max(_LONGEST_AGO, self._interval)
        if self._next() < earliest:
            self._begun, self._count = earliest, 0
        times = []
        while (time := self._next()) <= now:
            times.append(time)
            self._count += 1
        return times

    def _next(self) -> float:
        return (self._begun or 0.0) + self._count * self._interval
