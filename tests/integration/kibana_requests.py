"""Ask Elasticsearch what Kibana would ask for a saved aggregation-based visualisation, and lay out the answer.

Kibana is not to be had in the tests, so this follows what its 8.9 sources do with those parts of a visState that we
use: each bucket aggregation nests in the one before, metrics go innermost, a terms aggregation may be ordered by a
metric, and "Other" is a second request with one filter for everything outside the buckets of the first.
"""

import re
from typing import Any

import orjson
from elasticsearch import AsyncElasticsearch

Json = dict[str, Any]
Row = tuple[Any, ...]

#: The schemas of a visState's aggregations that make buckets.
_BUCKET_SCHEMAS = ("segment", "group", "bucket")


def aggregations(saved: Json) -> tuple[list[Json], list[Json]]:
    """Split a saved visualisation's aggregations into those that make buckets, outermost first, and metrics."""
    used = [one for one in orjson.loads(saved["attributes"]["visState"])["aggs"] if one["enabled"]]
    return [one for one in used if one["schema"] in _BUCKET_SCHEMAS], [one for one in used if one["schema"] == "metric"]


def query(saved: Json, time_field: str | None, start: str, end: str) -> Json:
    """Build the query from the visualisation's own KQL and, where its data view has a time field, Kibana's time range.

    The KQL is nothing, field : "value", or not field : "value".
    """
    source = orjson.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    filters: list[Json] = []
    if source["query"]["query"]:
        match = re.fullmatch(r'(not )?(\w+) : "([^"]*)"', source["query"]["query"])
        assert match, "only a single phrase of KQL is understood here"
        phrase: Json = {"bool": {"should": [{"match_phrase": {match[2]: match[3]}}], "minimum_should_match": 1}}
        filters.append({"bool": {"must_not": phrase}} if match[1] else phrase)
    if time_field is not None:
        filters.append({"range": {time_field: {"format": "strict_date_optional_time", "gte": start, "lte": end}}})
    return {"bool": {"must": [], "filter": filters, "should": [], "must_not": []}}


def nested(buckets: list[Json], metrics: list[Json], interval: Json) -> Json:
    """Build the "aggs" of the first request; interval stands in for what Kibana makes of "auto" from the time range."""
    innermost = {one["id"]: _metric(one) for one in metrics if one["type"] != "count"}
    if not buckets:
        return innermost
    bucket, *inner = buckets
    below = nested(inner, metrics, interval)
    params = bucket["params"]
    if bucket["type"] == "date_histogram":
        own: Json = {"field": params["field"], **interval, "time_zone": "UTC", "min_doc_count": params["min_doc_count"]}
    else:
        ordering = next(one for one in metrics if one["id"] == params["orderBy"])
        path = "_count" if ordering["type"] == "count" else f"{ordering['id']}.50"
        own = {"field": params["field"], "order": {path: params["order"]}, "size": params["size"]}
        if ordering["type"] != "count":
            below = {**below, ordering["id"]: _metric(ordering)}
    return {bucket["id"]: {bucket["type"]: own, **({"aggs": below} if below else {})}}


async def rows(client: AsyncElasticsearch, index: str, saved: Json, where: Json, interval: Json) -> list[Row]:
    """Answer with a row for each innermost bucket: the bucket keys from the outside in, then the metrics."""
    buckets, metrics = aggregations(saved)
    answer = await client.search(index=index, size=0, query=where, aggs=nested(buckets, metrics, interval))
    found = answer["aggregations"]
    for depth, bucket in enumerate(buckets):
        if bucket["params"].get("otherBucket"):
            await _add_others(client, index, where, buckets, metrics, depth, found)
    return _flatten(found, buckets, metrics, ())


def _metric(metric: Json) -> Json:
    assert metric["type"] == "median", "only counts and medians are understood here"
    return {"percentiles": {"field": metric["params"]["field"], "percents": metric["params"]["percents"]}}


async def _add_others(
    client: AsyncElasticsearch,
    index: str,
    where: Json,
    buckets: list[Json],
    metrics: list[Json],
    depth: int,
    found: Json,
) -> None:
    """Add a bucket "Other" wherever the terms aggregation at this depth left documents out."""
    field = buckets[depth]["params"]["field"]
    below = nested(buckets[depth + 1 :], metrics, {})
    for parents, parent in _parents(found, buckets[:depth], []):
        level = parent[buckets[depth]["id"]]
        if not level["sum_other_doc_count"]:
            continue
        exclusions = [{"match_phrase": {field: bucket["key"]}} for bucket in level["buckets"]]
        outside = {"bool": {"must": [], "filter": [*parents, {"exists": {"field": field}}], "must_not": exclusions}}
        other_filter: Json = {"filters": {"filters": {"other": outside}}, **({"aggs": below} if below else {})}
        answer = await client.search(index=index, size=0, query=where, aggs={"other-filter": other_filter})
        other = answer["aggregations"]["other-filter"]["buckets"]["other"]
        level["buckets"].append({**other, "key": "Other", "filter": {"bool": {"must_not": exclusions}}})


def _parents(found: Json, outer: list[Json], filters: list[Json]) -> list[tuple[list[Json], Json]]:
    """List every bucket of the outer aggregations with the filters that select its documents."""
    if not outer:
        return [(filters, found)]
    field = outer[0]["params"]["field"]
    listed = []
    for bucket in found[outer[0]["id"]]["buckets"]:
        own = bucket.get("filter") or {"match_phrase": {field: bucket["key"]}}
        listed += _parents(bucket, outer[1:], [*filters, own])
    return listed


def _flatten(found: Json, buckets: list[Json], metrics: list[Json], keys: Row) -> list[Row]:
    if not buckets:
        values = [
            found["doc_count"] if one["type"] == "count" else found[one["id"]]["values"]["50.0"] for one in metrics
        ]
        return [(*keys, *values)]
    flat = []
    for bucket in found[buckets[0]["id"]]["buckets"]:
        key = bucket.get("key_as_string", bucket["key"])
        flat += _flatten(bucket, buckets[1:], metrics, (*keys, key))
    return flat
