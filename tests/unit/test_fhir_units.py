"""Units against ucumvert, which reads UCUM on its own."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from bp_faust.fhir import units

#: Where ucumvert departs from UCUM's own definitions: inches of a column at 60 °F, and Planck's constant for hectobar.
DEFINED = {"[in_i'Hg]": 25.4, "[in_i'H2O]": 0.0254 * 9806.65 / 133.322387415, "hbar": 1e7 / 133.322387415}


@functools.lru_cache(maxsize=1)
def oracle() -> Any:
    ucumvert = pytest.importorskip("ucumvert", reason="releases that know columns of mercury need Python 3.11")
    return ucumvert.PintUcumRegistry()


@pytest.mark.parametrize("code", sorted(units._factors()))
def test_every_unit_has_ucums_factor(code: str) -> None:
    expected = DEFINED.get(code) or oracle().from_ucum(code).to("mmHg").magnitude
    found = units.mmhg_per_code(code)
    assert found is not None
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("text", "code"), sorted(units._TEXTS.items()))
def test_every_text_means_the_unit_of_a_code(text: str, code: str) -> None:
    assert units.mmhg_per_text(text) == units.mmhg_per_text(f" {text.upper()} ") == units.mmhg_per_code(code)


@pytest.mark.parametrize("text", ["", "mm", "hg", "m", "pa/s", "MPA", "kPa.s", "mmHg2", "1", "%", "mmol/L"])
def test_what_is_no_clear_unit_is_none(text: str) -> None:
    assert units.mmhg_per_text(text) is None
    assert units.mmhg_per_code(text) is None
