"""Describe the indices of anomalies, alerts and refusals, and make sure that they are there and fit."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, AsyncElasticsearch, BadRequestError

from bp_faust.search.answers import DENIED, error_type, is_later
from bp_faust.search.errors import IndexMappingError, SearchDeniedError, SearchError, SearchUnavailableError
from bp_faust.search.retrying import address, describe

Properties = Mapping[str, Mapping[str, Any]]

#: The fields of the Elastic Common Schema that every document has beside our own.
_ECS: Properties = {
    "@timestamp": {"type": "date"},
    "ecs": {"type": "object", "properties": {"version": {"type": "keyword"}}},
    "event": {
        "type": "object",
        "properties": {field: {"type": "keyword"} for field in ("kind", "type", "action", "module", "dataset")},
    },
}

#: What is told of a finding; its citation is kept, and not searched for.
_FINDING: Properties = {
    **{field: {"type": "keyword"} for field in ("rule", "title", "severity", "pressures", "policy", "direction")},
    "citation": {"type": "keyword", "index": False, "doc_values": False},
}

#: The fields of an anomaly document: the seed's five, the Observation that it came from, and by which rules.
ANOMALY_PROPERTIES: Properties = {
    **_ECS,
    "patient_id": {"type": "keyword"},
    "systolic_pressure": {"type": "float"},
    "diastolic_pressure": {"type": "float"},
    "anomaly_type": {"type": "keyword"},
    "timestamp": {"type": "date"},
    "observation_id": {"type": "keyword"},
    "findings": {"type": "object", "properties": _FINDING},
}

#: The fields of an alert's document: what the alert now is.
ALERT_PROPERTIES: Properties = {
    **_ECS,
    **{
        field: {"type": "keyword"}
        for field in (
            "alert_id",
            "patient_id",
            "status",
            "direction",
            "severity",
            "rule",
            "title",
            "policy",
            "observation_id",
            "acknowledged_by",
            "reason",
        )
    },
    "citation": _FINDING["citation"],
    "acknowledged_because": {"type": "text"},
    "opened": {"type": "date"},
    "timestamp": {"type": "date"},
    "acknowledged_at": {"type": "date"},
    "muted": {"type": "boolean"},
}

#: The fields of a refused record's document: where it came in and why it was refused, nothing of what it holds.
REFUSAL_PROPERTIES: Properties = {
    **_ECS,
    "topic": {"type": "keyword"},
    "partition": {"type": "integer"},
    "offset": {"type": "long"},
    "reasons": {"type": "keyword"},
    "rejections": {"type": "integer"},
    "timestamp": {"type": "date"},
}

#: Unknown fields are kept in the document but neither indexed nor guessed at: with "true" a stranger's first document
#: would fix the type of its field for all that follow and those that differ would be refused, with "strict" it would be
#: refused itself.
_DYNAMIC = "false"

#: How long Elasticsearch remembers the version of a deleted document; its default is 60 s. A worker that was frozen for
#: longer could bring a withdrawn document back with an older version. A week is how long Kafka keeps a record unless
#: set otherwise. The memory is lost when the node restarts: after that, only the order of the topic protects, which
#: repeats the deletion after the document.
_GC_DELETES = "7d"

#: What else an existing index may have in the place of our type without harm to a document or a panel.
_ALSO_FITS = {"float": {"double"}, "date": {"date_nanos"}, "integer": {"long"}}


def index_template(name: str, properties: Properties) -> dict[str, Any]:
    """Build the composable index template (the body of PUT _index_template) for the index of that name.

    One shard holds tens of millions of these documents; a replica is kept wherever there is a second node for it.
    """
    return {
        "index_patterns": [name],
        "priority": 500,
        "template": {
            "settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1", "gc_deletes": _GC_DELETES},
            "mappings": mappings(properties),
        },
        "_meta": {"managed_by": "bp_faust"},
    }


def mappings(properties: Properties) -> dict[str, Any]:
    """Build the mapping of the index."""
    return {"dynamic": _DYNAMIC, "properties": {field: dict(mapping) for field, mapping in properties.items()}}


def mismatch(found_properties: Properties, properties: Properties) -> str | None:
    """Say in what an existing mapping's properties keep our documents from being indexed right, or None if in nothing.

    A missing field is no mismatch: it can be added.
    """
    found_types = _types(found_properties)
    for field, wanted in _types(properties).items():
        found = found_types.get(field, wanted)
        if found != wanted and found not in _ALSO_FITS.get(wanted, ()):
            return f"its field {field} is of type {found} and must be {wanted}"
    return None


def _types(properties: Properties, prefix: str = "") -> dict[str, str]:
    """List the types of fields and, with the dots of their paths, of the fields within them."""
    types: dict[str, str] = {}
    for field, mapping in properties.items():
        types[f"{prefix}{field}"] = mapping.get("type", "object")
        types |= _types(mapping.get("properties", {}), f"{prefix}{field}.")
    return types


def is_one_of_a_series(index: str, settings: Mapping[str, Any]) -> bool:
    """Tell whether an index is to be followed by another, given its settings with flat names."""
    return "index.lifecycle.rollover_alias" in settings or index.startswith(".ds-")  # how a data stream's are called


async def ensure_index(client: AsyncElasticsearch, name: str, properties: Properties) -> None:
    """Put the index template, create the index if it is missing, and add to an existing one what it lacks.

    Raises IndexMappingError where the existing index cannot hold our documents, SearchDeniedError where we lack the
    right, SearchUnavailableError where Elasticsearch cannot be reached, SearchError where it will not do it.
    """
    with _told(client, name):
        await client.indices.put_index_template(name=name, body=index_template(name, properties))
        if not await client.indices.exists(index=name):
            await _create(client, name)
        await _complete(client, name, properties)


async def check_index(client: AsyncElasticsearch, name: str, properties: Properties) -> bool:
    """Return whether the index is there, and raise what ``ensure_index`` would; nothing is changed."""
    with _told(client, name):
        await client.indices.simulate_template(name=name, body=index_template(name, properties))
        if not await client.indices.exists(index=name):
            return False
        await _fitting_properties(client, name, properties)
        return True


@contextlib.contextmanager
def _told(client: AsyncElasticsearch, name: str) -> Iterator[None]:
    """Raise our own errors in place of the client's."""
    try:
        yield
    except TransportError as error:
        raise SearchUnavailableError(f"Elasticsearch at {address(client)} {describe(error)}") from error
    except ApiError as error:
        cause = error.body.get("error") if isinstance(error.body, dict) else None
        if is_later(error.status_code):
            raise SearchUnavailableError(f"Elasticsearch at {address(client)} {describe(error)}") from error
        reason = f"{error.status_code} {error_type(cause)}"
        if error.status_code in DENIED:
            raise SearchDeniedError(
                f"Elasticsearch at {address(client)} does not let us prepare the index {name} ({reason}): grant the "
                "rights manage_index_templates (cluster) and create_index, manage (index)"
            ) from error
        raise SearchError(
            f"Elasticsearch at {address(client)} could not prepare the index {name} ({reason}): {_reason(cause)}"
        ) from error


def _reason(cause: object) -> str:
    return str(cause.get("reason", "it does not say why")) if isinstance(cause, Mapping) else "it does not say why"


async def _create(client: AsyncElasticsearch, name: str) -> None:
    try:
        await client.indices.create(index=name)
    except BadRequestError as error:
        if error.message != "resource_already_exists_exception":
            raise  # not the race with another worker that is starting too


async def _fitting_properties(client: AsyncElasticsearch, name: str, properties: Properties) -> Properties:
    """Return the fields of the index; raise IndexMappingError where they do not fit, or it is none that stays one."""
    answer = await client.indices.get(index=name, features="mappings,settings", flat_settings=True)
    # An alias answers with the names of the indices behind it.
    if len(answer.body) > 1 or any(
        is_one_of_a_series(index, found["settings"]) for index, found in answer.body.items()
    ):
        raise IndexMappingError(
            f"{name} in Elasticsearch must be one index, or an alias of one, that does not roll over: in a series of "
            "indices what is sent again or corrected would stand twice; see docs/how-to/elasticsearch-and-kibana.md"
        )
    ((index, found),) = answer.body.items()
    known: Properties = found["mappings"].get("properties", {})
    wrong = mismatch(known, properties)
    if wrong:
        raise IndexMappingError(
            f"the existing Elasticsearch index {index} does not fit: {wrong}; delete it, or reindex it into one "
            f"made from the index template {name}, or choose another index name"
        )
    return known


async def _complete(client: AsyncElasticsearch, name: str, properties: Properties) -> None:
    known = await _fitting_properties(client, name, properties)
    await client.indices.put_mapping(index=name, dynamic=_DYNAMIC, properties=_lacking(known, properties))
    await client.indices.put_settings(index=name, settings={"gc_deletes": _GC_DELETES}, preserve_existing=True)


def _lacking(known: Properties, properties: Properties) -> dict[str, Any]:
    """List the fields that a mapping has not, or not with all that is within them."""
    lacking: dict[str, Any] = {}
    for field, ours in properties.items():
        if field not in known:
            lacking[field] = dict(ours)
        elif within := _lacking(known[field].get("properties", {}), ours.get("properties", {})):
            lacking[field] = {"properties": within}
    return lacking
