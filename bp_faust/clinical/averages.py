"""Summarise a patient's readings by day, and over the last days. Pure, and of the readings alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, tzinfo
from itertools import pairwise

from msgspec import Struct

from bp_faust.clinical.times import moment
from bp_faust.models import Entry

#: The hours of a day, by the patient's clock, whose readings are the morning's and the evening's: wide enough for an
#: hour after waking and the time before going to bed, when pressures at home are to be measured
#: (Mancia G, et al. 2023 ESH guidelines, section 4.5; doi:10.1097/HJH.0000000000003480).
MORNING_HOURS = (4, 12)
EVENING_HOURS = (16, 24)


class Spread(Struct, frozen=True):
    """Hold how the values of some readings lie, in mmHg."""

    readings: int
    mean: float
    minimum: float
    maximum: float
    #: The sample's standard deviation; None for a single reading.
    standard_deviation: float | None
    #: The mean of the absolute differences between one reading and the next (average real variability: Mena L, et al.
    #: J Hypertens 2005;23:505-11); None for a single reading.
    average_real_variability: float | None


class Means(Struct, frozen=True):
    """Hold mean pressures in mmHg, None where no reading has one."""

    readings: int
    systolic: float | None
    diastolic: float | None


class Day(Struct, frozen=True):
    """Hold a day's readings, in short."""

    date: date
    readings: int
    systolic: Spread | None
    diastolic: Spread | None
    #: Diastolic pressure and a third of the pulse pressure, in mmHg, of the readings that have both pressures.
    mean_arterial_pressure: float | None
    #: Systolic less diastolic pressure, in mmHg, of the readings that have both.
    pulse_pressure: float | None
    morning: Means
    evening: Means


class Average(Struct, frozen=True):
    """Hold the mean pressures of some days in a row, in mmHg; the last day is one with a reading."""

    days: int
    first: date
    last: date
    #: On how many of them there are readings.
    days_with_readings: int
    readings: int
    systolic: float | None
    diastolic: float | None
    #: The Observations that it is made of, in order.
    observations: tuple[str, ...]


def measured(entries: Iterable[tuple[str, Entry]]) -> list[tuple[str, Entry]]:
    """Return the Observations that tell a pressure, in order: not taken back, implausible or mere bounds."""
    found = [(identity, entry) for identity, entry in entries if entry.counted and "comparator" not in entry.flags]
    return sorted(found, key=lambda one: (one[1].time, one[0]))


def days(readings: Iterable[tuple[str, Entry]], zone: tzinfo) -> list[Day]:
    """Return the days that have readings, in order; ``readings`` as ``measured`` gives them."""
    by_date: dict[date, list[tuple[datetime, Entry]]] = {}
    for _, entry in readings:
        time = moment(entry.time).astimezone(zone)
        by_date.setdefault(time.date(), []).append((time, entry))
    return [_day(day, found) for day, found in sorted(by_date.items())]


def average(readings: Sequence[tuple[str, Entry]], number_of_days: int, zone: tzinfo) -> Average | None:
    """Return the mean of the last days up to that of the last reading whose time is not ahead; None without one."""
    past = [(identity, entry, moment(entry.time).astimezone(zone).date()) for identity, entry in readings]
    past = [one for one in past if "future" not in one[1].flags]
    if not past:
        return None
    last = past[-1][2]
    first = date.fromordinal(max(last.toordinal() - (number_of_days - 1), 1))
    chosen = [one for one in past if first <= one[2] <= last]
    entries = [entry for _, entry, _ in chosen]
    return Average(
        number_of_days,
        first,
        last,
        len({day for _, _, day in chosen}),
        len(chosen),
        _mean(_values(entries, _systolic)),
        _mean(_values(entries, _diastolic)),
        tuple(identity for identity, _, _ in chosen),
    )


def _day(day: date, found: Sequence[tuple[datetime, Entry]]) -> Day:
    entries = [entry for _, entry in found]
    both = [
        (entry.systolic, entry.diastolic)
        for entry in entries
        if entry.systolic is not None and entry.diastolic is not None
    ]
    return Day(
        day,
        len(entries),
        _spread(_values(entries, _systolic)),
        _spread(_values(entries, _diastolic)),
        _mean([diastolic + (systolic - diastolic) / 3 for systolic, diastolic in both]),
        _mean([systolic - diastolic for systolic, diastolic in both]),
        _means(found, MORNING_HOURS),
        _means(found, EVENING_HOURS),
    )


def _means(found: Iterable[tuple[datetime, Entry]], hours: tuple[int, int]) -> Means:
    entries = [entry for time, entry in found if hours[0] <= time.hour < hours[1]]
    return Means(len(entries), _mean(_values(entries, _systolic)), _mean(_values(entries, _diastolic)))


def _systolic(entry: Entry) -> float | None:
    return entry.systolic


def _diastolic(entry: Entry) -> float | None:
    return entry.diastolic


def _values(entries: Iterable[Entry], pressure: Callable[[Entry], float | None]) -> list[float]:
    return [value for value in map(pressure, entries) if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _spread(values: Sequence[float]) -> Spread | None:
    mean = _mean(values)
    if mean is None:
        return None
    several = len(values) > 1
    return Spread(
        len(values),
        mean,
        min(values),
        max(values),
        math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)) if several else None,
        math.fsum(abs(after - before) for before, after in pairwise(values)) / (len(values) - 1) if several else None,
    )
