"""Tell seconds since 1970 as people do, whatever their number: Kafka lets a record's time be millions of years away."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

_DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: The first and the last millisecond of the years 1 to 9999, since 1970.
_FIRST = (date.min - _EPOCH.date()).days * _DAY * 1000
_LAST = ((date.max - _EPOCH.date()).days + 1) * _DAY * 1000 - 1


def timestamp(time: float) -> str:
    """Return seconds since 1970 as an ISO 8601 time in UTC with milliseconds; the nearest of the years 1 to 9999."""
    day, milliseconds = divmod(min(max(round(time * 1000), _FIRST), _LAST), _DAY * 1000)
    second, milliseconds = divmod(milliseconds, 1000)
    return f"{_date(day)}T{_clock(second)}.{milliseconds:03d}Z"


def moment(time: float) -> datetime:
    """Return seconds since 1970 as a moment in UTC, a day from the ends of the calendar at least.

    So it can be told in every time zone. ``datetime.fromtimestamp`` knows fewer years on some systems.
    """
    return _EPOCH + timedelta(seconds=min(max(time, _FIRST / 1000 + _DAY), _LAST / 1000 - _DAY))


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


@lru_cache(maxsize=86_400)
def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
