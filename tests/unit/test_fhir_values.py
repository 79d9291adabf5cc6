"""Pressures: what is a number, which units, comparators and absences are read, and how exactly."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from bp_faust import fhir
from bp_faust.models import Reading
from tests.fhir_records import UCUM, component, observation, quantity, reading, refused

VALUE = "component[0].valueQuantity.value"


def with_systolic_text(number: str) -> bytes:
    """Return an Observation whose systolic pressure is written exactly so."""
    return json.dumps(observation("@")).replace('"@"', number).encode()


@pytest.mark.parametrize(
    ("number", "systolic"),
    [
        ("120", 120.0),
        ("120.5", 120.5),
        ("120.0", 120.0),
        ("1.2e2", 120.0),
        ("1200E-1", 120.0),
        ('"120"', 120.0),
        ('"120.50"', 120.5),
        ('"1.2e2"', 120.0),
        ("120.00000000000000000000", 120.0),
    ],
)
def test_a_number_and_a_string_of_a_number_are_read(number: str, systolic: float) -> None:
    (found,) = fhir.parse(with_systolic_text(number))
    assert isinstance(found, Reading)
    assert found.systolic == systolic
    assert isinstance(found.systolic, float)


@pytest.mark.parametrize(
    ("number", "low", "high"),
    [
        ("140.0000000000000000001", 140, 141),
        ("139.9999999999999999999", 139, 140),
        ('"140.0000000000000000001"', 140, 141),
        ("90.00000000000000000000000000000000000001", 90, 91),
        ("89.99999999999999999999999999999999999999", 89, 90),
    ],
)
def test_a_decimal_stays_on_its_side_of_every_whole_number(number: str, low: int, high: int) -> None:
    (found,) = fhir.parse(with_systolic_text(number))
    assert isinstance(found, Reading)
    assert found.systolic is not None
    assert low < found.systolic < high


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "-120",
        "-0.5",
        "true",
        "false",
        "1e400",
        "1e-400",
        "1e99999999999999999999",
        "1" * 5000,
        "0." + "1" * 5000,
        '"NaN"',
        '"Infinity"',
        '"-120"',
        '"1e400"',
        '"1e99999999999999999999999999"',
        '"high"',
        '""',
        '" 120"',
        '"120 "',
        '"1_2_0"',
        '"+120"',
        '"0x78"',
        '"120,5"',
        '"١٢٠"',
        '"120 mmHg"',
        "[120]",
        '{"a": 120}',
    ],
)
def test_what_is_no_number_is_refused_where_it_stands(number: str) -> None:
    (found,) = fhir.parse(with_systolic_text(number))
    assert not isinstance(found, Reading)
    assert (found.reason, found.path) == ("value-not-numeric", VALUE)


@pytest.mark.parametrize(
    ("members", "mmhg"),
    [
        ({"value": 120}, 120.0),
        ({"value": 12, "code": "cm[Hg]", "unit": "cmHg"}, 120.0),
        ({"value": 16, "code": "kPa", "unit": "kPa"}, 120.00985),
        ({"value": 160, "code": "hPa", "unit": "hPa"}, 120.00985),
        ({"value": 160, "code": "mbar", "unit": "mbar"}, 120.00985),
        ({"value": 2.3, "code": "[psi]", "unit": "psi"}, 118.9444),
        ({"value": 160, "code": "cm[H2O]", "unit": "cmH2O"}, 117.6895),
        ({"value": 120, "code": "mm[Hg]{sitting}"}, 120.0),
        ({"value": 120, "system": None}, 120.0),
        ({"value": 120, "code": "mmHg"}, 120.0),
        ({"value": 120, "code": None}, 120.0),
        ({"value": 120, "code": None, "system": None, "unit": "mm Hg"}, 120.0),
        ({"value": 120, "code": None, "system": None, "unit": "MMHG"}, 120.0),
        ({"value": 120, "code": None, "system": None, "unit": "millimeters of mercury"}, 120.0),
        ({"value": 16, "code": None, "system": None, "unit": "kPa"}, 120.00985),
        ({"value": 120, "code": "259018001", "system": "http://snomed.info/sct"}, 120.0),
    ],
)
def test_units_of_pressure_are_converted(members: dict[str, Any], mmhg: float) -> None:
    record = observation(component=[component("8480-6", valueQuantity=quantity(**members))])
    found = reading(record, unit_policy="refuse")
    assert found.systolic == pytest.approx(mmhg, rel=1e-6)
    assert found.flags == ()


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"code": "mmol/L", "unit": "mmol/L"}, "code"),
        ({"code": "1"}, "code"),
        ({"code": "mm[Hg]/s"}, "code"),
        ({"code": "9**9**9**9"}, "code"),
        ({"code": "x" * 100_000}, "code"),
        ({"code": None, "unit": "beats/min"}, "unit"),
        ({"code": None, "unit": "mm"}, "unit"),
        ({"code": "mm[Hg]", "system": "http://example.org/units", "unit": None}, "system"),
    ],
)
def test_another_unit_is_refused_whatever_the_policy(members: dict[str, Any], place: str) -> None:
    record = observation(component=[component("8480-6", valueQuantity=quantity(120, **members))])
    for policy in ("assume-mmHg", "refuse"):
        assert refused(record, unit_policy=policy) == ("unit-unknown", f"component[0].valueQuantity.{place}")


@pytest.mark.parametrize("given", [{"value": 120}, {"value": 120, "system": UCUM}])
def test_a_value_without_unit_is_read_by_policy(given: dict[str, Any]) -> None:
    record = observation(component=[component("8480-6", valueQuantity=given)])
    assert reading(record).systolic == 120.0
    assert refused(record, unit_policy="refuse") == ("unit-unknown", "component[0].valueQuantity.unit")


@pytest.mark.parametrize(
    ("comparator", "systolic"),
    [
        ("<", math.nextafter(140, 0)),
        ("<=", 140.0),
        (">=", 140.0),
        (">", math.nextafter(140, 200)),
    ],
)
def test_a_comparator_keeps_the_bound_just_beyond_what_it_excludes(comparator: str, systolic: float) -> None:
    record = observation(component=[component("8480-6", valueQuantity=quantity(140, comparator=comparator))])
    found = reading(record)
    assert (found.systolic, found.flags) == (systolic, ("comparator",))


@pytest.mark.parametrize("comparator", ["ad", "~", "", 1, "=>"])
def test_another_comparator_is_refused(comparator: Any) -> None:
    record = observation(component=[component("8480-6", valueQuantity=quantity(140, comparator=comparator))])
    assert refused(record) == ("comparator-unknown", "component[0].valueQuantity.comparator")


ABSENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "not-performed"}]}
ABSENT_EXTENSION = [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]


@pytest.mark.parametrize(
    "absent",
    [
        component("8462-4", valueQuantity=None, dataAbsentReason=ABSENT),
        component("8462-4", valueQuantity={"unit": "mmHg"}, dataAbsentReason=ABSENT),
        component("8462-4", valueQuantity={"_value": {"extension": ABSENT_EXTENSION}}),
        component("8462-4", valueQuantity={"extension": ABSENT_EXTENSION}),
        component("8302-2", 170),
    ],
)
def test_where_one_pressure_is_absent_the_other_is_still_read(absent: dict[str, Any]) -> None:
    found = reading(observation(component=[component("8480-6", 200), absent]))
    assert (found.systolic, found.diastolic, found.flags) == (200.0, None, ())


def test_where_both_are_absent_for_a_reason_there_is_no_value() -> None:
    absent = [component(code, valueQuantity=None, dataAbsentReason=ABSENT) for code in ("8480-6", "8462-4")]
    assert refused(observation(component=absent)) == ("no-value", "$")


@pytest.mark.parametrize("components", [None, [], [component("8302-2", 170)]])
def test_a_panel_without_any_pressure_has_no_value(components: list[Any] | None) -> None:
    assert refused(observation(component=components)) == ("no-value", "$")


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        (component("8462-4", valueQuantity=None), "component[1]"),
        (component("8462-4", valueQuantity={"unit": "mmHg"}), "component[1].valueQuantity.value"),
        (component("8462-4", valueQuantity={"value": None}), "component[1].valueQuantity.value"),
    ],
)
def test_a_pressure_without_value_and_without_reason_is_refused(broken: dict[str, Any], path: str) -> None:
    assert refused(observation(component=[component("8480-6", 120), broken])) == ("value-missing", path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("valueString", "120"),
        ("valueInteger", 120),
        ("valueBoolean", True),
        ("valueRange", {"low": {"value": 110}}),
        ("valueRatio", {"numerator": {"value": 120}}),
        ("valueCodeableConcept", {"text": "high"}),
    ],
)
def test_another_type_of_value_is_refused(name: str, value: Any) -> None:
    record = observation(component=[component("8480-6", valueQuantity=None, **{name: value})])
    assert refused(record) == ("value-type", f"component[0].{name}")


@pytest.mark.parametrize(
    ("systolic", "diastolic", "plausible"),
    [
        (370, 330, True),
        (30, 10, True),
        (370.01, 80, False),
        (29.99, 10, False),
        (300, 9.99, False),
        (360, 330.01, False),
        (80, 80, False),
        (80, 120, False),
        (0, 80, False),
    ],
)
def test_what_is_outside_the_limits_or_upside_down_is_kept_as_implausible(
    systolic: float, diastolic: float, plausible: bool
) -> None:
    found = reading(observation(systolic, diastolic))
    assert (found.systolic, found.diastolic) == (systolic, diastolic)
    assert found.flags == (() if plausible else ("implausible",))


def test_the_limits_are_the_sites() -> None:
    assert reading(observation(200, 80), systolic_limits=(50, 190)).flags == ("implausible",)
    assert reading(observation(200, 80), diastolic_limits=(90, 190)).flags == ("implausible",)


def test_a_site_may_have_nothing_kept_as_implausible() -> None:
    upside_down = observation(80, 120)
    assert reading(upside_down, flag_implausible=False).flags == ()
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": upside_down}]}
    assert reading(bundle, flag_implausible=False).flags == ()
