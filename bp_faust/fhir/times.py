"""Read FHIR's dates and times as seconds since 1970-01-01T00:00:00Z.

The forms are those of ``dateTime`` and ``instant`` (http://hl7.org/fhir/R4/datatypes.html#dateTime), and three that
senders use although FHIR asks for more: a time of day without a zone, one without seconds, and one after a space, which
is how Python prints a time. A date stands for its first moment. A leap second is the first second of the next minute.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

_TIME = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)
_to_datetime = msgspec.convert
#: How long a time is that ends in microseconds.
_LONGEST_EXACT = len("2012-07-01T08:30:00.000000Z")
_EPOCH_DAY = date(1970, 1, 1).toordinal()
#: Where the years 1 to 9999 begin and end.
_FIRST = (date(1, 1, 1).toordinal() - _EPOCH_DAY) * 86400
_LAST = (date(9999, 12, 31).toordinal() + 1 - _EPOCH_DAY) * 86400
#: The greatest offset from UTC that FHIR's pattern for a dateTime allows.
_GREATEST_OFFSET = 14 * 3600


class TimeUnreadableError(ValueError):
    """Say that a text is no FHIR date or time; the message never holds the text."""


def seconds_since_1970(text: str, default_zone: str) -> float:
    """Return a FHIR date or time in seconds since 1970, exact to the microsecond.

    ``default_zone`` is an IANA name. Raises TimeUnreadableError.
    """
    if len(text) <= 10:
        return _start_of_date(text, default_zone)
    if text[10] == "T" and text[-1] == "Z" and len(text) <= _LONGEST_EXACT:
        try:
            return _to_datetime(text, datetime).timestamp()
        except msgspec.ValidationError:
            pass  # a leap second, or none at all: what follows can tell
    match = _TIME.fullmatch(text)
    if match is None:
        raise TimeUnreadableError("It is no FHIR date or time, such as 2012-07-01 or 2012-07-01T08:30:00+02:00.")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 60:
        raise TimeUnreadableError("There is no such time of day.")
    if zone is None:
        whole = _local(year, month, day, hours, minutes, default_zone) + seconds
    else:
        whole = _day(year, month, day) + hours * 3600 + minutes * 60 + seconds - _offset(zone)
    if not _FIRST <= whole < _LAST:
        raise TimeUnreadableError("It is not within the years 1 to 9999.")
    return (whole * 1_000_000 + int(fraction[:6].ljust(6, "0"))) / 1_000_000 if fraction else float(whole)


@lru_cache(maxsize=4096)
def _day(year: str, month: str, day: str) -> int:
    try:
        return (date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY) * 86400
    except ValueError as error:
        raise TimeUnreadableError("There is no such date.") from error


@lru_cache(maxsize=4096)
def _start_of_date(text: str, default_zone: str) -> float:
    match = _TIME.fullmatch(text)
    if match is None:
        raise TimeUnreadableError("It is no FHIR date or time, such as 2012-07-01 or 2012-07-01T08:30:00+02:00.")
    year, month, day = match.group(1, 2, 3)
    whole = _local(year, month or "01", day or "01", 0, 0, default_zone)
    if not _FIRST <= whole < _LAST:
        raise TimeUnreadableError("It is not within the years 1 to 9999.")
    return float(whole)


@lru_cache(maxsize=256)
def _offset(zone: str) -> int:
    if zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    seconds = hours * 3600 + minutes * 60
    if minutes > 59 or seconds > _GREATEST_OFFSET:
        raise TimeUnreadableError("There is no such time zone.")
    return -seconds if zone[0] == "-" else seconds


def _local(year: str, month: str, day: str, hours: int, minutes: int, default_zone: str) -> int:
    start = _day(year, month, day)
    if default_zone == "UTC":
        return start + hours * 3600 + minutes * 60
    moment = datetime(int(year), int(month), int(day), hours, minutes, tzinfo=ZoneInfo(default_zone))
    try:
        return round((moment - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds())
    except OverflowError as error:
        raise TimeUnreadableError("It is not within the years 1 to 9999.") from error
