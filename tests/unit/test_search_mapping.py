"""Check the index template as data, and the judgement of other mappings by it."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bp_faust.search.client import connect
from bp_faust.search.errors import IndexMappingError
from bp_faust.search.templates import (
    ALERT_PROPERTIES,
    ANOMALY_PROPERTIES,
    REFUSAL_PROPERTIES,
    Properties,
    ensure_index,
    index_template,
    is_one_of_a_series,
    mappings,
    mismatch,
)

SEED_FIELDS = {
    "patient_id": "keyword",
    "systolic_pressure": "float",
    "diastolic_pressure": "float",
    "anomaly_type": "keyword",
    "timestamp": "date",
}
ECS_FIELDS = {"@timestamp": "date", "ecs": "object", "event": "object"}


def test_the_template_maps_the_fields_of_the_seed_and_the_observation() -> None:
    template = index_template("blood_pressure_anomalies_v2", ANOMALY_PROPERTIES)
    assert template["index_patterns"] == ["blood_pressure_anomalies_v2"]
    types = {field: mapping["type"] for field, mapping in template["template"]["mappings"]["properties"].items()}
    assert types == {**SEED_FIELDS, **ECS_FIELDS, "observation_id": "keyword", "findings": "object"}


def test_the_mapping_is_a_copy_that_callers_may_change() -> None:
    mappings(ANOMALY_PROPERTIES)["properties"]["patient_id"]["type"] = "text"
    assert ANOMALY_PROPERTIES["patient_id"]["type"] == "keyword"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"patient_id": {"type": "text", "fields": {"keyword": {"type": "keyword"}}}}, "patient_id is of type text"),
        ({"systolic_pressure": {"type": "long"}}, "systolic_pressure is of type long and must be float"),
        ({"timestamp": {"type": "keyword"}}, "timestamp is of type keyword and must be date"),
        ({"anomaly_type": {"properties": {}}}, "anomaly_type is of type object and must be keyword"),
        ({"event": {"type": "keyword"}}, "event is of type keyword and must be object"),
        ({"event": {"properties": {"kind": {"type": "text"}}}}, "event.kind is of type text and must be keyword"),
    ],
)
def test_a_field_of_another_type_is_named_with_what_it_must_be(changed: dict[str, Any], words: str) -> None:
    sentence = mismatch({**mappings(ANOMALY_PROPERTIES)["properties"], **changed}, ANOMALY_PROPERTIES)
    assert sentence is not None
    assert words in sentence


@pytest.mark.parametrize(
    "changed", [{}, {"systolic_pressure": {"type": "double"}}, {"timestamp": {"type": "date_nanos"}}, {"x": {}}]
)
def test_finer_types_and_more_fields_fit(changed: dict[str, Any]) -> None:
    assert mismatch({**mappings(ANOMALY_PROPERTIES)["properties"], **changed}, ANOMALY_PROPERTIES) is None


def test_missing_fields_fit() -> None:
    assert mismatch({}, ANOMALY_PROPERTIES) is None


@pytest.mark.parametrize("properties", [ANOMALY_PROPERTIES, ALERT_PROPERTIES, REFUSAL_PROPERTIES])
def test_every_index_has_the_fields_of_ecs(properties: Properties) -> None:
    assert {field: properties[field]["type"] for field in ECS_FIELDS} == ECS_FIELDS


def test_what_rolls_over_is_known_by_its_settings_or_its_name() -> None:
    assert is_one_of_a_series("anomalies-000001", {"index.lifecycle.rollover_alias": "anomalies"})
    assert is_one_of_a_series(".ds-anomalies-2026.11.24-000001", {"index.number_of_shards": "1"})
    assert not is_one_of_a_series("anomalies", {"index.lifecycle.name": "keep-a-year"})


@pytest.mark.parametrize(
    ("index", "settings"),
    [
        ("anomalies-000001", {"index.lifecycle.name": "hot", "index.lifecycle.rollover_alias": "anomalies"}),
        (".ds-anomalies-2026.11.24-000001", {"index.lifecycle.name": "hot"}),
    ],
)
async def test_what_rolls_over_is_refused_at_start(index: str, settings: dict[str, str]) -> None:
    """Answers as an Elasticsearch with x-pack documents them; the one of the other tests has none."""

    async def answer(request: web.Request) -> web.Response:
        found = {index: {"aliases": {"anomalies": {}}, "mappings": mappings(ANOMALY_PROPERTIES), "settings": settings}}
        told = found if request.method == "GET" else {"acknowledged": True}
        return web.json_response(told, headers={"X-Elastic-Product": "Elasticsearch"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server, connect(str(server.make_url("")).rstrip("/")) as client:
        with pytest.raises(IndexMappingError, match="does not roll over"):
            await ensure_index(client, "anomalies", ANOMALY_PROPERTIES)
