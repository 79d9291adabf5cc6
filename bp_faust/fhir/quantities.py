"""Read a pressure from a component, or from a stand-alone Observation."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

from bp_faust.fhir.options import ParseOptions
from bp_faust.fhir.reasons import Reason
from bp_faust.fhir.refusals import RefusedError, below, member, objects
from bp_faust.fhir.units import UCUM, mmhg_per_code, mmhg_per_text

#: http://hl7.org/fhir/R4/extension-data-absent-reason.html
_DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 1000
#: A power of ten beyond this is an attempt on the machine, not a measurement.
_GREATEST_EXPONENT = 99
#: Where a bound lies that the comparator excludes; 0 for one that it includes.
_COMPARATORS = {"<": -math.inf, "<=": 0.0, ">=": 0.0, ">": math.inf}
_OTHER_TYPES = (
    "valueCodeableConcept",
    "valueString",
    "valueBoolean",
    "valueInteger",
    "valueDecimal",
    "valueRange",
    "valueRatio",
    "valueSampledData",
    "valueTime",
    "valueDateTime",
    "valuePeriod",
    "valueAttachment",
    "valueReference",
)


def has_value(holder: dict[str, object]) -> bool:
    """Return whether an Observation or component has a value of any type, or says why it has none."""
    return any(holder.get(name) is not None for name in ("valueQuantity", "dataAbsentReason", *_OTHER_TYPES))


def pressure(holder: dict[str, object], path: str, options: ParseOptions) -> tuple[float | None, bool]:
    """Return the pressure in mmHg of an Observation or component, and whether it is a bound rather than measured.

    None is a pressure that is absent for a reason. A bound that the comparator excludes becomes the next float beyond
    it, so that thresholds judge it rightly. Raises RefusedError.
    """
    absent = member(holder, "dataAbsentReason", dict, path) is not None
    quantity = member(holder, "valueQuantity", dict, path)
    if quantity is None:
        other = next((name for name in _OTHER_TYPES if holder.get(name) is not None), None)
        if other is not None:
            raise RefusedError(Reason.VALUE_TYPE, below(path, other))
        if absent:
            return None, False
        raise RefusedError(Reason.VALUE_MISSING, path)
    path = below(path, "valueQuantity")
    value = quantity.get("value")
    if value is None:
        if absent or _says_why_absent(quantity, path):
            return None, False
        raise RefusedError(Reason.VALUE_MISSING, below(path, "value"))
    number = _exact(value, below(path, "value"))
    mmhg = _on_the_same_side(number * _mmhg_per_unit(quantity, path, options))
    comparator = quantity.get("comparator")
    if comparator is None:
        return mmhg, False
    beyond = _COMPARATORS.get(comparator) if isinstance(comparator, str) else None
    if beyond is None:
        raise RefusedError(Reason.COMPARATOR_UNKNOWN, below(path, "comparator"))
    return (math.nextafter(mmhg, beyond) if beyond else mmhg), True


def _says_why_absent(quantity: dict[str, object], path: str) -> bool:
    value = member(quantity, "_value", dict, path) or {}
    extensions = objects(quantity, "extension", path) + objects(value, "extension", below(path, "_value"))
    return any(extension.get("url") == _DATA_ABSENT_REASON for extension in extensions)


def _exact(value: object, path: str) -> Fraction:
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value):
        try:
            value = Decimal(value)
        except ArithmeticError as error:
            raise RefusedError(Reason.VALUE_NOT_NUMERIC, path) from error
    elif isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or value < 0 or (value and abs(value.adjusted()) > _GREATEST_EXPONENT):
        raise RefusedError(Reason.VALUE_NOT_NUMERIC, path)
    return Fraction(value) if value else Fraction(0)


def _on_the_same_side(exact: Fraction) -> float:
    """Return the nearest float that lies on the same side of every whole number as ``exact`` does.

    Thresholds are whole numbers: 140.00000000000000001 is above 140, which its nearest float is not.
    """
    nearest = float(exact)
    if nearest.is_integer() and nearest != exact:
        return math.nextafter(nearest, math.inf if exact > nearest else -math.inf)
    return nearest


def _mmhg_per_unit(quantity: dict[str, object], path: str, options: ParseOptions) -> Fraction:
    system = quantity.get("system")
    code, unit = member(quantity, "code", str, path), member(quantity, "unit", str, path)
    factor = None
    if code and (system is None or system == UCUM):
        place, factor = "code", mmhg_per_code(code)
    elif unit:
        place, factor = "unit", mmhg_per_text(unit)
    elif code:
        place = "system"
    else:
        place, factor = "unit", Fraction(1) if options.unit_policy == "assume-mmHg" else None
    if factor is None:
        raise RefusedError(Reason.UNIT_UNKNOWN, below(path, place))
    return factor
