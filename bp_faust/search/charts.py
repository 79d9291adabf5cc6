"""Ask Elasticsearch for the charts of anomalies, those of Kibana's dashboard, and read its answers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from msgspec import Struct

Json = dict[str, Any]
RangeName = Literal["15m", "1h", "6h", "24h", "7d", "30d"]


class Range(NamedTuple):
    """Hold how far back charts go, and how long each of their bars is, in seconds."""

    seconds: int
    bar_seconds: int


RANGES: Mapping[str, Range] = {
    "15m": Range(900, 30),
    "1h": Range(3600, 120),
    "6h": Range(6 * 3600, 600),
    "24h": Range(86_400, 1800),
    "7d": Range(7 * 86_400, 4 * 3600),
    "30d": Range(30 * 86_400, 86_400),
}

#: How many patients the first chart has, and how many types and patients the others tell apart.
_MEDIANS, _TYPES, _PATIENTS = 10, 5, 5

#: The types of hypertension of every policy: Hypertension, Hypertension stage 2, Hypertensive crisis.
_HYPERTENSION: Json = {"wildcard": {"anomaly_type": {"value": "*hypertensi*", "case_insensitive": True}}}


class Median(Struct):
    """Hold a patient's median systolic pressure, in mmHg."""

    patient_id: str
    systolic_pressure: float


class OfPatient(Struct):
    """Hold how many anomalies a patient has; all others together where there is no id."""

    patient_id: str | None
    count: int


class OfType(Struct):
    """Hold how many anomalies are of a type; of all others together where there is no type."""

    anomaly_type: str | None
    count: int
    patients: list[OfPatient]


class Series(Struct):
    """Hold how many anomalies of a type there are in each bar."""

    anomaly_type: str | None
    counts: list[int]


class Charts(Struct):
    """Hold the charts over a range; times are in seconds since 1970."""

    range: RangeName
    since: float
    until: float
    bar_seconds: int
    #: Whether patients are named by pseudonyms.
    pseudonyms: bool
    #: The patients with the highest medians of readings that are hypertension, the highest first.
    medians: list[Median]
    by_type: list[OfType]
    #: When each bar begins.
    bars: list[float]
    over_time: list[Series]


def chart_search(name: RangeName, until: float, zone: str) -> Json:
    """Return the search for all charts over a range that ends at a time; bars begin with days and hours of a zone."""
    span = RANGES[name]
    bounds = {"min": int((until - span.seconds) * 1000), "max": int(until * 1000)}
    return {
        "size": 0,
        "query": _within(name, until),
        "aggs": {
            "hypertension": {
                "filter": _HYPERTENSION,
                "aggs": {
                    "patients": {
                        "terms": {"field": "patient_id", "size": _MEDIANS, "order": {"median.50": "desc"}},
                        "aggs": {"median": {"percentiles": {"field": "systolic_pressure", "percents": [50]}}},
                    }
                },
            },
            "types": {"terms": {"field": "anomaly_type", "size": _TYPES}, "aggs": _BY_PATIENT},
            "bars": {
                "date_histogram": {
                    "field": "timestamp",
                    "fixed_interval": f"{span.bar_seconds}s",
                    "time_zone": zone,
                    "min_doc_count": 0,
                    "extended_bounds": bounds,
                },
                "aggs": {"types": {"terms": {"field": "anomaly_type", "size": _TYPES}}},
            },
        },
    }


def other_types_search(name: RangeName, until: float, answer: Json) -> Json | None:
    """Return the search for what the first one's answer counts among other types, None where there is nothing."""
    types = answer["aggregations"]["types"]
    if not types["sum_other_doc_count"]:
        return None
    shown = {"terms": {"anomaly_type": [bucket["key"] for bucket in types["buckets"]]}}
    query = {"bool": {"filter": [_within(name, until), {"exists": {"field": "anomaly_type"}}], "must_not": [shown]}}
    return {"size": 0, "track_total_hits": True, "query": query, "aggs": _BY_PATIENT}


_BY_PATIENT: Json = {"patients": {"terms": {"field": "patient_id", "size": _PATIENTS}}}


def _within(name: RangeName, until: float) -> Json:
    since, to = int((until - RANGES[name].seconds) * 1000), int(until * 1000)
    return {"range": {"timestamp": {"gte": since, "lte": to, "format": "epoch_millis"}}}


def read_charts(name: RangeName, until: float, answer: Json, others: Json | None, *, pseudonyms: bool) -> Charts:
    """Return the charts from the answers to both searches; there is no second one where nothing was left over."""
    found = answer.get("aggregations")
    span = RANGES[name]
    charts = Charts(name, until - span.seconds, until, span.bar_seconds, pseudonyms, [], [], [], [])
    if found is None:
        return charts  # there is no index yet
    charts.medians = [
        Median(bucket["key"], median)
        for bucket in found["hypertension"]["patients"]["buckets"]
        if (median := bucket["median"]["values"]["50.0"]) is not None
    ]
    charts.by_type = [_of_type(bucket["key"], bucket) for bucket in found["types"]["buckets"]]
    if others is not None:
        total = others["hits"]["total"]["value"]
        charts.by_type.append(_of_type(None, {"doc_count": total, **others["aggregations"]}))
    bars = found["bars"]["buckets"]
    charts.bars = [bucket["key"] / 1000 for bucket in bars]
    charts.over_time = list(_series(bars))
    return charts


def _of_type(anomaly_type: str | None, bucket: Json) -> OfType:
    patients = [OfPatient(one["key"], one["doc_count"]) for one in bucket["patients"]["buckets"]]
    if left := bucket["patients"]["sum_other_doc_count"]:
        patients.append(OfPatient(None, left))
    return OfType(anomaly_type, bucket["doc_count"], patients)


def _series(bars: list[Json]) -> Iterator[Series]:
    """Yield a series for each type that any bar tells apart, the most frequent first, and one for all others."""
    counts: dict[str, list[int]] = {}
    left = [bar["types"]["sum_other_doc_count"] for bar in bars]
    for place, bar in enumerate(bars):
        for one in bar["types"]["buckets"]:
            counts.setdefault(one["key"], [0] * len(bars))[place] = one["doc_count"]
    for anomaly_type in sorted(counts, key=lambda known: (-sum(counts[known]), known)):
        yield Series(anomaly_type, counts[anomaly_type])
    if any(left):
        yield Series(None, left)
