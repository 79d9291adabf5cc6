"""Times: every precision of FHIR, with and without zone."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from bp_faust import fhir
from tests.fhir_records import observation, reading, refused


def seconds(*parts: int) -> float:
    return datetime(*parts, tzinfo=timezone.utc).timestamp()  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2012", seconds(2012, 1, 1)),
        ("2012-07", seconds(2012, 7, 1)),
        ("2012-07-01", seconds(2012, 7, 1)),
        ("2012-02-29", seconds(2012, 2, 29)),
        ("1965-07-01", seconds(1965, 7, 1)),
        ("2012-07-01T08:30:00Z", seconds(2012, 7, 1, 8, 30)),
        ("2012-07-01T08:30:15+02:00", seconds(2012, 7, 1, 6, 30, 15)),
        ("2012-07-01T08:30:15-05:30", seconds(2012, 7, 1, 14, 0, 15)),
        ("2012-07-01T08:30:15+14:00", seconds(2012, 6, 30, 18, 30, 15)),
        ("2012-07-01T08:30:15-00:00", seconds(2012, 7, 1, 8, 30, 15)),
        ("2012-07-01T08:30:15.5Z", seconds(2012, 7, 1, 8, 30, 15) + 0.5),
        ("2012-07-01T08:30:15.123Z", seconds(2012, 7, 1, 8, 30, 15) + 0.123),
        ("2012-07-01T08:30:15.123456789012345678901234567890Z", seconds(2012, 7, 1, 8, 30, 15) + 0.123456),
        ("2012-06-30T23:59:60Z", seconds(2012, 7, 1)),
        ("2012-07-01T08:30:00", seconds(2012, 7, 1, 8, 30)),
        ("2012-07-01T08:30", seconds(2012, 7, 1, 8, 30)),
        ("2012-07-01T08:30Z", seconds(2012, 7, 1, 8, 30)),
        ("2012-07-01 08:30:00+00:00", seconds(2012, 7, 1, 8, 30)),
        ("0001-01-01", seconds(1, 1, 1)),
        ("9999-12-31T23:59:59Z", seconds(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_a_date_time_of_any_precision_is_read(text: str, expected: float) -> None:
    assert reading(observation(effectiveDateTime=text)).effective == expected
    assert reading(observation(effectiveDateTime=None, effectiveInstant=text)).effective == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "12-07-01",
        "2012-13-01",
        "2012-02-30",
        "2011-02-29",
        "0000-01-01",
        "2012-7-1",
        "20120701",
        "2012-07-01T",
        "2012-07-01T24:00:00Z",
        "2012-07-01T08:60:00Z",
        "2012-07-01T08:30:61Z",
        "2012-07-01T08Z",
        "2012-07-01T08:30:00.Z",
        "2012-07-01T08:30:00+15:00",
        "2012-07-01T08:30:00+02:60",
        "2012-07-01T08:30:00+0200",
        "2012-07-01T08:30:00z",
        " 2012-07-01",
        "2012-07-01\n",
        "2012-07-01T08:30:00Z\n",
        "٢٠١٢-07-01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59-14:00",
        "2012-07-01T08:30:00Z" + "0" * 100_000,
        1341100800,
        True,
        ["2012"],
    ],
)
def test_what_is_no_time_is_refused(text: Any) -> None:
    assert refused(observation(effectiveDateTime=text)) == ("time-invalid", "effectiveDateTime")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2012-07-01", "Europe/Paris", seconds(2012, 6, 30, 22)),
        ("2012-01", "Europe/Paris", seconds(2011, 12, 31, 23)),
        ("2012-07-01T08:30:00", "Europe/Paris", seconds(2012, 7, 1, 6, 30)),
        ("2012-07-01T08:30:00", "Asia/Kolkata", seconds(2012, 7, 1, 3)),
        ("2012-07-01T08:30:00Z", "Europe/Paris", seconds(2012, 7, 1, 8, 30)),
        ("2012-07-01T08:30:00.250", "America/New_York", seconds(2012, 7, 1, 12, 30) + 0.25),
    ],
)
def test_a_time_without_zone_is_of_the_default_zone(text: str, zone: str, expected: float) -> None:
    assert reading(observation(effectiveDateTime=text), default_time_zone=zone).effective == expected


@pytest.mark.parametrize(("text", "zone"), [("0001-01-01", "Asia/Tokyo"), ("9999-12-31T23:00", "America/New_York")])
def test_a_local_time_beyond_the_calendar_is_refused(text: str, zone: str) -> None:
    record = observation(effectiveDateTime=text)
    assert refused(record, default_time_zone=zone) == ("time-invalid", "effectiveDateTime")


@pytest.mark.parametrize(
    "members",
    [
        {"effectivePeriod": {"start": "2012-07-01", "end": "2013"}},
        {"effectivePeriod": {"end": "2012-07-01"}},
        {"effectiveInstant": "2012-07-01T00:00:00Z"},
        {"effectiveTiming": {"event": ["2012-07-01", "2011"]}},
        {"effectiveTiming": {"repeat": {"boundsPeriod": {"start": "2012-07-01"}}}},
    ],
)
def test_every_type_of_effective_time_is_read(members: Any) -> None:
    assert reading(observation(effectiveDateTime=None, **members)).effective == seconds(2012, 7, 1)


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"effectivePeriod": {"start": "?"}}, "effectivePeriod.start"),
        ({"effectivePeriod": {"end": "?"}}, "effectivePeriod.end"),
        ({"effectiveInstant": "?"}, "effectiveInstant"),
        ({"effectiveTiming": {"event": ["?"]}}, "effectiveTiming.event[0]"),
        (
            {"effectiveTiming": {"repeat": {"boundsPeriod": {"start": "?"}}}},
            "effectiveTiming.repeat.boundsPeriod.start",
        ),
    ],
)
def test_every_type_of_effective_time_is_refused_where_it_cannot_be_read(members: Any, path: str) -> None:
    assert refused(observation(effectiveDateTime=None, **members)) == ("time-invalid", path)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"effectivePeriod": {}},
        {"effectiveTiming": {"code": {"text": "BID"}}},
        {"_effectiveDateTime": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason"}]}},
    ],
)
def test_a_time_that_is_not_said_is_none(members: Any) -> None:
    assert reading(observation(effectiveDateTime=None, **members)).effective is None


NOW = seconds(2024, 5, 1)


@pytest.mark.parametrize(
    ("effective", "flags"),
    [
        (None, ()),
        (NOW, ()),
        (NOW + 600, ()),
        (NOW + 600.001, ("future",)),
        (NOW - 400 * 86400, ()),
        (NOW - 400 * 86400 - 0.001, ("very-old",)),
    ],
)
def test_a_future_and_a_very_old_time_are_flagged(effective: float | None, flags: tuple[str, ...]) -> None:
    assert fhir.time_flags(effective, NOW) == flags


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd"])
def test_a_default_zone_that_does_not_exist_is_an_error_of_the_site(zone: str) -> None:
    with pytest.raises(ValueError, match="default_time_zone"):
        fhir.ParseOptions(default_time_zone=zone)


@pytest.mark.parametrize("name", ["unit_policy", "validation"])
def test_a_policy_that_does_not_exist_is_an_error_of_the_site(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        fhir.ParseOptions(**{name: "perhaps"})  # type: ignore[arg-type]
