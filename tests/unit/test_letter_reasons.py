"""Every code that a dead letter can name is explained."""

from __future__ import annotations

import pytest

from bp_faust.dead_letters.reasons import (
    NOT_AN_ALERT,
    NOT_AN_ANOMALY,
    SETTINGS_INVALID,
    explain,
    refused_by_elasticsearch,
)
from bp_faust.fhir import Reason


@pytest.mark.parametrize(
    "code",
    [
        *(reason.value for reason in Reason),
        SETTINGS_INVALID,
        NOT_AN_ANOMALY,
        NOT_AN_ALERT,
        refused_by_elasticsearch(400),
    ],
)
def test_a_code_is_explained(code: str) -> None:
    explained = explain(code)
    assert explained is not None
    assert all(sentence.endswith(".") for sentence in explained)


@pytest.mark.parametrize("code", ["", "elasticsearch-", "elasticsearch-4000", "not-a-reason"])
def test_what_is_none_is_not(code: str) -> None:
    assert explain(code) is None
