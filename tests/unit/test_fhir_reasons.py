"""Reasons are documented, and their codes fit for headers and metrics."""

from __future__ import annotations

import re

from bp_faust.fhir import Reason, reason_table


def test_every_code_is_a_plain_word_of_its_own() -> None:
    codes = [reason.value for reason in Reason]
    assert len(codes) == len(set(codes))
    assert all(type(code) is str and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code) for code in codes)


def test_the_table_has_a_row_for_every_reason() -> None:
    rows = reason_table().splitlines()
    assert len(rows) == 2 + len(Reason)
    for row, reason in zip(rows[2:], Reason, strict=True):
        assert row.startswith(f"| `{reason.value}` | ")
        assert row.count("|") == 4
        assert reason.meaning.endswith(".")
        assert reason.remedy.endswith(".")
