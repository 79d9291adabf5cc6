"""Name what is unusual about a reading that is kept nevertheless."""

from __future__ import annotations

#: Outside the limits of ``ParseOptions``, or the systolic pressure is not above the diastolic one.
IMPLAUSIBLE = "implausible"
#: A pressure is a bound (``<``, ``>``, ``<=``, ``>=``), not what was measured.
COMPARATOR = "comparator"
#: Measured more than FUTURE_SECONDS after it came in: a clock is wrong.
FUTURE = "future"
#: Measured more than VERY_OLD_SECONDS before it came in.
VERY_OLD = "very-old"

FUTURE_SECONDS = 10 * 60
VERY_OLD_SECONDS = 400 * 24 * 60 * 60


def time_flags(effective: float | None, received: float) -> tuple[str, ...]:
    """Return ``future`` or ``very-old`` for a reading's time against when it came in, in seconds since 1970."""
    if effective is None:
        return ()
    if effective > received + FUTURE_SECONDS:
        return (FUTURE,)
    if effective < received - VERY_OLD_SECONDS:
        return (VERY_OLD,)
    return ()
