"""Averages are those of Python's own statistics over the same readings."""

from __future__ import annotations

import statistics
from collections import defaultdict
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bp_faust.clinical.averages import average, days, measured
from bp_faust.models import Entry

UTC = timezone.utc
TOLERANCE = 1e-9


def entry(
    time: datetime, systolic: float | None = 120, diastolic: float | None = 80, *, counted: bool = True, flags: str = ""
) -> Entry:
    return Entry(systolic, diastolic, time.timestamp(), (0, 0, 0, 0, 0, 0), None, counted, tuple(flags.split()))


def at(day: int, hour: int = 8) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


pressures = st.floats(30, 300, allow_nan=False)
times = st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC))


@given(
    found=st.lists(st.tuples(times, st.none() | pressures, pressures), min_size=1, max_size=60),
    number_of_days=st.sampled_from([7, 28]),
)
def test_they_equal_what_statistics_computes(
    found: list[tuple[datetime, float | None, float]], number_of_days: int
) -> None:
    entries = [(f"r-{index:03d}", entry(*one)) for index, one in enumerate(found)]
    readings = measured(reversed(entries))
    by_date = defaultdict(list)
    for time, systolic, diastolic in [found[int(identity[2:])] for identity, _ in readings]:
        by_date[time.date()].append((time, systolic, diastolic))
    for day in days(readings, UTC):
        of_day = by_date.pop(day.date)
        systolic = [one[1] for one in of_day if one[1] is not None]
        both = [(one[1], one[2]) for one in of_day if one[1] is not None]
        assert day.readings == len(of_day)
        if systolic:
            assert day.systolic is not None
            assert day.systolic.mean == pytest.approx(statistics.fmean(systolic), abs=TOLERANCE)
            assert (day.systolic.minimum, day.systolic.maximum) == (min(systolic), max(systolic))
            assert day.mean_arterial_pressure == pytest.approx(
                statistics.fmean((s + 2 * d) / 3 for s, d in both), abs=TOLERANCE
            )
            assert day.pulse_pressure == pytest.approx(statistics.fmean(s - d for s, d in both), abs=TOLERANCE)
        if len(systolic) > 1:
            assert day.systolic is not None
            assert day.systolic.standard_deviation == pytest.approx(statistics.stdev(systolic), abs=TOLERANCE)
            assert day.systolic.average_real_variability == pytest.approx(
                statistics.fmean(abs(b - a) for a, b in pairwise(systolic)), abs=TOLERANCE
            )
        for part, hours in ((day.morning, range(4, 12)), (day.evening, range(16, 24))):
            values = [one[2] for one in of_day if one[0].hour in hours]
            assert part.readings == len(values)
            if values:
                assert part.diastolic == pytest.approx(statistics.fmean(values), abs=TOLERANCE)
    assert by_date == {}
    latest = max(time for time, _, _ in found).date()
    window = [one for one in found if latest - timedelta(days=number_of_days) < one[0].date() <= latest]
    mean = average(readings, number_of_days, UTC)
    assert mean is not None
    assert (mean.readings, mean.last, mean.days_with_readings) == (
        len(window),
        latest,
        len({one[0].date() for one in window}),
    )
    assert mean.diastolic == pytest.approx(statistics.fmean(one[2] for one in window), abs=TOLERANCE)


def test_a_day_is_the_patients_and_a_late_reading_lands_in_its_own() -> None:
    readings = measured([("late", entry(at(1, 23))), ("b", entry(at(2, 23))), ("a", entry(at(2, 1)))])
    assert [(day.date.day, day.readings) for day in days(readings, UTC)] == [(1, 1), (2, 2)]
    assert [(day.date.day, day.readings) for day in days(readings, ZoneInfo("Asia/Tokyo"))] == [(2, 2), (3, 1)]


def test_what_was_taken_back_is_implausible_or_a_bound_is_left_out() -> None:
    entries = [
        ("kept", entry(at(1), 130)),
        ("withdrawn", entry(at(1), 200, counted=False)),
        ("bound", entry(at(1), 300, flags="comparator")),
    ]
    assert [identity for identity, _ in measured(entries)] == ["kept"]


def test_an_average_ends_with_the_last_reading_that_is_not_ahead() -> None:
    readings = measured(
        [
            ("old", entry(at(1), 100)),
            ("a", entry(at(2), 110)),
            ("b", entry(at(8), 130)),
            ("x", entry(at(20), flags="future")),
        ]
    )
    found = average(readings, 7, UTC)
    assert found is not None
    assert (found.first, found.last, found.systolic) == (date(2026, 3, 2), date(2026, 3, 8), 120)
    assert found.observations == ("a", "b")
    assert average([], 7, UTC) is None


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "UTC", "Pacific/Kiritimati"])
@pytest.mark.parametrize("seconds", [-62_135_596_800.0, 253_402_300_799.0, 9e15, -9e15])
def test_the_ends_of_the_calendar_are_days_as_well(zone: str, seconds: float) -> None:
    """A device that knows no time may send 0001-01-01T00:00:00Z."""
    found = [("r", Entry(120, 80, seconds, (0, 0, 0, 0, 0, 0), None, counted=True))]
    [day] = days(found, ZoneInfo(zone))
    mean = average(found, 7, ZoneInfo(zone))
    assert mean is not None
    assert (day.date.year, mean.last) == (1 if seconds < 0 else 9999, day.date)
    assert mean.first <= mean.last
