"""Check the index of the anomalies on a real Elasticsearch."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from elasticsearch import AsyncElasticsearch

from bp_faust.search.client import connect
from bp_faust.search.documents import Document
from bp_faust.search.errors import IndexMappingError, SearchError
from bp_faust.search.templates import ANOMALY_PROPERTIES, Properties, ensure_index
from bp_faust.search.writer import BulkWriter


@pytest.fixture
async def client(elasticsearch_url: str) -> AsyncIterator[AsyncElasticsearch]:
    async with connect(elasticsearch_url) as client:
        yield client


@pytest.fixture
async def name(client: AsyncElasticsearch) -> AsyncIterator[str]:
    """Give a fresh index name and clear it away afterwards."""
    name = f"anomalies-{uuid.uuid4().hex}"
    yield name
    await client.options(ignore_status=404).indices.delete(index=name)
    await client.options(ignore_status=404).indices.delete_index_template(name=name)


async def _types(client: AsyncElasticsearch, name: str) -> dict[str, str]:
    ((_, found),) = (await client.indices.get_mapping(index=name)).body.items()
    mappings = found["mappings"]
    return {field: mapping.get("type", "object") for field, mapping in mappings["properties"].items()}


async def test_a_missing_index_is_created_with_the_explicit_mapping(client: AsyncElasticsearch, name: str) -> None:
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    assert await _types(client, name) == {
        "@timestamp": "date",
        "ecs": "object",
        "event": "object",
        "patient_id": "keyword",
        "systolic_pressure": "float",
        "diastolic_pressure": "float",
        "anomaly_type": "keyword",
        "timestamp": "date",
        "observation_id": "keyword",
        "findings": "object",
    }
    settings = (await client.indices.get_settings(index=name))[name]["settings"]["index"]
    assert settings["gc_deletes"] == "7d"


async def test_preparing_twice_and_at_once_is_harmless(client: AsyncElasticsearch, name: str) -> None:
    await asyncio.gather(*[ensure_index(client, name, ANOMALY_PROPERTIES) for _ in range(4)])
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    assert set(await _types(client, name)) == set(ANOMALY_PROPERTIES)


async def test_an_index_lost_at_run_time_comes_back_with_the_mapping(client: AsyncElasticsearch, name: str) -> None:
    """A bulk request re-creates the index by itself; the template sees to its mapping."""
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    await client.indices.delete(index=name)
    await client.index(index=name, document={"patient_id": "p"})
    assert (await _types(client, name))["patient_id"] == "keyword"


async def test_the_documents_of_the_seed_fit(client: AsyncElasticsearch, name: str) -> None:
    """The seed's consumer sends integers, a UTC time without a zone and no id."""
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    document = {
        "patient_id": "162bbe21-d03c-4405-a2d6-01a2b3c4d5e6",
        "systolic_pressure": 171,
        "diastolic_pressure": 64,
        "anomaly_type": "Hypertension",
        "timestamp": "2025-01-20T14:03:22.123456",
    }
    await client.index(index=name, document=document, refresh=True)
    query = {
        "bool": {
            "filter": [
                {"term": {"anomaly_type": "Hypertension"}},
                {"term": {"patient_id": document["patient_id"]}},
                {"range": {"timestamp": {"gte": "2025-01-20T14:03:22Z", "lt": "2025-01-20T14:03:23Z"}}},
                {"range": {"systolic_pressure": {"gt": 170.9, "lt": 171.1}}},
            ]
        }
    }
    assert (await client.count(index=name, query=query))["count"] == 1


async def test_fields_of_strangers_are_kept_but_never_break_a_document(client: AsyncElasticsearch, name: str) -> None:
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    for number, value in enumerate([1, "text", {"deep": [1, "a"]}]):
        await client.index(index=name, id=str(number), document={"patient_id": "p", "theirs": value})
    assert (await client.get(index=name, id="2"))["_source"]["theirs"] == {"deep": [1, "a"]}
    assert set(await _types(client, name)) == set(ANOMALY_PROPERTIES)


async def test_an_index_whose_fields_were_guessed_is_refused_with_what_to_do(
    client: AsyncElasticsearch, name: str
) -> None:
    """The seed created its index without a mapping, so Elasticsearch took patient_id for text."""
    await client.index(index=name, document={"patient_id": "p", "systolic_pressure": 150})
    with pytest.raises(IndexMappingError) as raised:
        await ensure_index(client, name, ANOMALY_PROPERTIES)
    sentence = str(raised.value)
    assert "patient_id is of type text and must be keyword" in sentence
    assert name in sentence
    assert "delete it, or reindex it" in sentence


async def test_an_empty_or_older_index_gets_the_fields_it_lacks(client: AsyncElasticsearch, name: str) -> None:
    await client.indices.create(index=name, mappings={"properties": {"systolic_pressure": {"type": "double"}}})
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    types = await _types(client, name)
    assert types.pop("systolic_pressure") == "double"
    assert types["patient_id"] == "keyword"
    assert set(types) == set(ANOMALY_PROPERTIES) - {"systolic_pressure"}


#: What the version before the fields of ECS mapped.
_BEFORE_ECS = ["patient_id", "systolic_pressure", "diastolic_pressure", "anomaly_type", "timestamp", "observation_id"]


async def test_an_index_of_the_version_before_takes_the_fields_of_ecs_and_keeps_its_documents(
    client: AsyncElasticsearch, name: str
) -> None:
    before: Properties = {field: ANOMALY_PROPERTIES[field] for field in [*_BEFORE_ECS, "findings"]}
    # Of what is within a field a part may be missing too.
    half = {"event": {"properties": {"kind": {"type": "keyword"}}}}
    old = {"patient_id": "p", "anomaly_type": "Hypertension", "timestamp": "2026-11-01T08:00:00Z"}
    new = {**old, "@timestamp": old["timestamp"], "event": {"kind": "event", "type": ["info"]}}
    await client.indices.create(index=name, mappings={"dynamic": "false", "properties": {**before, **half}})
    writer = BulkWriter(client)
    assert await writer.write([Document(name, "old", 1, old)]) == []
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    assert await writer.write([Document(name, "new", 1, new)]) == []
    await client.indices.refresh(index=name)
    assert set(await _types(client, name)) == set(ANOMALY_PROPERTIES)

    async def count(**query: dict[str, str]) -> int:
        return int((await client.count(index=name, query=query or None))["count"])

    assert await count() == await count(term={"anomaly_type": "Hypertension"}) == 2
    assert await count(term={"event.type": "info"}) == await count(exists={"field": "@timestamp"}) == 1


async def test_an_alias_of_one_index_serves_as_the_index(client: AsyncElasticsearch, name: str) -> None:
    """An operator may put the data into another index, and an alias in the place of the first one."""
    index = f"{name}-2"
    writer = BulkWriter(client)
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    assert await writer.write([Document(name, "old", 1, {"systolic_pressure": 150})]) == []
    await client.indices.create(index=index)
    replace = [{"remove_index": {"index": name}}, {"add": {"index": index, "alias": name}}]
    await client.indices.update_aliases(actions=replace)
    try:
        await ensure_index(client, name, ANOMALY_PROPERTIES)
        for version, pressure in ((1, 150), (2, 160)):
            assert await writer.write([Document(name, "d", version, {"systolic_pressure": pressure})]) == []
        assert await writer.write([Document(name, "d", 1, {"systolic_pressure": 150})]) == []
        await client.indices.refresh(index=name)
        assert (await client.count(index=name))["count"] == 1
        assert (await client.get(index=index, id="d"))["_source"] == {"systolic_pressure": 160}
        assert set(await _types(client, name)) == set(ANOMALY_PROPERTIES)
    finally:
        await client.indices.delete(index=index)


async def test_an_alias_of_several_indices_is_refused_with_the_reason(client: AsyncElasticsearch, name: str) -> None:
    """A write index that rolls over would take a correction beside the document that it corrects."""
    indices = [f"{name}-{number:06d}" for number in (1, 2)]
    for index in indices:
        await client.indices.create(index=index, aliases={name: {"is_write_index": index == indices[-1]}})
    try:
        with pytest.raises(IndexMappingError, match="must be one index, or an alias of one, that does not roll over"):
            await ensure_index(client, name, ANOMALY_PROPERTIES)
    finally:
        await client.indices.delete(index=indices)


async def test_an_unreachable_elasticsearch_is_named(unused_url: str) -> None:
    async with connect(unused_url) as client:
        with pytest.raises(SearchError, match=unused_url):
            await ensure_index(client, "any", ANOMALY_PROPERTIES)


@pytest.fixture
def unused_url(unused_tcp_port: int) -> str:
    return f"http://127.0.0.1:{unused_tcp_port}"
