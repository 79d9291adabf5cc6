"""The searches behind the page's charts, and what is read from their answers."""

from __future__ import annotations

from typing import Any

import pytest

from bp_faust.search.charts import (
    RANGES,
    Median,
    OfPatient,
    OfType,
    Series,
    chart_search,
    other_types_search,
    read_charts,
)

NOW = 1_800_000_000.0


def terms(counts: dict[str, int], other: int = 0) -> dict[str, Any]:
    return {"buckets": [{"key": key, "doc_count": n} for key, n in counts.items()], "sum_other_doc_count": other}


def answer(**aggregations: Any) -> dict[str, Any]:
    given = {
        "hypertension": {"doc_count": 0, "patients": {"buckets": [], "sum_other_doc_count": 0}},
        "types": {"buckets": [], "sum_other_doc_count": 0},
        "bars": {"buckets": []},
    }
    return {"hits": {"total": {"value": 0}}, "aggregations": {**given, **aggregations}}


@pytest.mark.parametrize("name", RANGES)
def test_a_search_goes_back_as_far_as_its_range_in_a_readable_number_of_bars(name: Any) -> None:
    search = chart_search(name, NOW, "Europe/Paris")
    within = search["query"]["range"]["timestamp"]
    assert within["lte"] == NOW * 1000
    assert within["lte"] - within["gte"] == RANGES[name].seconds * 1000
    assert search["aggs"]["bars"]["date_histogram"]["time_zone"] == "Europe/Paris"
    assert 30 <= RANGES[name].seconds / RANGES[name].bar_seconds <= 50


def test_what_lies_beyond_the_first_types_is_searched_for_only_where_there_is_any() -> None:
    assert other_types_search("1h", NOW, answer(types=terms({"A": 3}))) is None
    search = other_types_search("1h", NOW, answer(types=terms({"A": 3, "B": 2}, other=4)))
    assert search is not None
    assert search["query"]["bool"]["must_not"] == [{"terms": {"anomaly_type": ["A", "B"]}}]


def test_counts_beyond_the_first_are_told_as_others() -> None:
    types = terms({"A": 9}, other=4)
    types["buckets"][0]["patients"] = terms({"p": 5}, other=4)
    others = {"hits": {"total": {"value": 4}}, "aggregations": {"patients": terms({"q": 4})}}
    found = read_charts("1h", NOW, answer(types=types), others, pseudonyms=True)
    assert found.by_type == [
        OfType("A", 9, [OfPatient("p", 5), OfPatient(None, 4)]),
        OfType(None, 4, [OfPatient("q", 4)]),
    ]
    assert found.pseudonyms


def test_bars_have_a_count_of_every_type_the_most_frequent_first() -> None:
    bars = [
        {"key": 1000, "types": terms({"B": 1})},
        {"key": 2000, "types": terms({"A": 2, "B": 1}, other=3)},
        {"key": 3000, "types": terms({})},
    ]
    found = read_charts("1h", NOW, answer(bars={"buckets": bars}), None, pseudonyms=False)
    assert found.bars == [1.0, 2.0, 3.0]
    assert found.over_time == [Series("A", [0, 2, 0]), Series("B", [1, 1, 0]), Series(None, [0, 3, 0])]


def test_medians_come_in_the_order_of_the_answer_without_those_that_have_none() -> None:
    buckets = [
        {"key": "p", "doc_count": 3, "median": {"values": {"50.0": 160.5}}},
        {"key": "q", "doc_count": 1, "median": {"values": {"50.0": None}}},
    ]
    hypertension = {"doc_count": 4, "patients": {"buckets": buckets, "sum_other_doc_count": 0}}
    found = read_charts("1h", NOW, answer(hypertension=hypertension), None, pseudonyms=False)
    assert found.medians == [Median("p", 160.5)]


def test_without_an_index_there_is_nothing_to_show() -> None:
    found = read_charts("1h", NOW, {"hits": {"total": {"value": 0}}}, None, pseudonyms=False)
    assert (found.medians, found.by_type, found.bars, found.over_time) == ([], [], [], [])
