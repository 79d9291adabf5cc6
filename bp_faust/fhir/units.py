"""Convert pressures to millimetres of mercury.

Codes are those of UCUM (https://ucum.org/ucum); the factors are Pint's. The texts are those of ``Quantity.unit`` that
can mean one unit only, whatever their case and spacing.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

UCUM = "http://unitsofmeasure.org"

_MMHG_CODE = "mm[Hg]"
_ANNOTATION = re.compile(r"\{[^{}]*\}")
_LONGEST_UNIT = 64

#: UCUM's units of pressure that take a prefix, as Pint's expressions.
_PREFIXABLE = {"Pa": "pascal", "bar": "bar", "m[Hg]": "1000 * mmHg", "m[H2O]": "100 * cmH2O"}
_PREFIXES = {"": 0, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1, "c": -2, "m": -3, "u": -6}
#: Those that take none, and the usual quotients.
_PLAIN = {
    "atm": "standard_atmosphere",
    "att": "technical_atmosphere",
    "[psi]": "psi",
    "[in_i'Hg]": "25.4 * mmHg",
    "[in_i'H2O]": "2.54 * cmH2O",
    "N/m2": "newton / meter ** 2",
    "dyn/cm2": "dyne / centimeter ** 2",
}

#: Unit texts, lower case and without spaces, as UCUM codes.
_TEXTS = {
    "mmhg": _MMHG_CODE,
    "mm[hg]": _MMHG_CODE,
    "mm/hg": _MMHG_CODE,
    "mm.hg": _MMHG_CODE,
    "mm-hg": _MMHG_CODE,
    "millimeterofmercury": _MMHG_CODE,
    "millimetreofmercury": _MMHG_CODE,
    "millimetersofmercury": _MMHG_CODE,
    "millimetresofmercury": _MMHG_CODE,
    "millimetermercurycolumn": _MMHG_CODE,
    "torr": _MMHG_CODE,
    "cmhg": "cm[Hg]",
    "cm[hg]": "cm[Hg]",
    "kpa": "kPa",
    "kilopascal": "kPa",
    "kilopascals": "kPa",
    "hpa": "hPa",
    "hectopascal": "hPa",
    "hectopascals": "hPa",
    "millibar": "mbar",
    "cmh2o": "cm[H2O]",
    "cm[h2o]": "cm[H2O]",
    "psi": "[psi]",
}


def mmhg_per_code(code: str) -> Fraction | None:
    """Return how many mmHg a UCUM code stands for, None where it is no pressure; misspellings that are clear count."""
    if len(code) > _LONGEST_UNIT:
        return None
    plain = _ANNOTATION.sub("", code)
    factor = _factor(plain)
    return factor if factor is not None else mmhg_per_text(plain)


def mmhg_per_text(text: str) -> Fraction | None:
    """Return how many mmHg the unit stands for that people read as ``text``, None where that is not clear."""
    if len(text) > _LONGEST_UNIT:
        return None
    squeezed = "".join(text.split())
    code = _TEXTS.get(squeezed.casefold())
    return _factor(code or squeezed)


def _factor(code: str) -> Fraction | None:
    if code == _MMHG_CODE:
        return Fraction(1)
    return _factors().get(code)


@lru_cache(maxsize=1)
def _factors() -> dict[str, Fraction]:
    # Pint takes a second to load, and most sites never send another unit.
    import pint

    registry: Any = pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)
    one = registry.parse_expression("mmHg").to_base_units().magnitude

    def factor(expression: str) -> Fraction:
        quantity = registry.parse_expression(expression).to_base_units()
        return Fraction(quantity.magnitude) / Fraction(one)

    factors = {code: factor(expression) for code, expression in _PLAIN.items()}
    for code, expression in _PREFIXABLE.items():
        base = factor(expression)
        for prefix, power in _PREFIXES.items():
            factors[prefix + code] = base * Fraction(10) ** power
    return factors
