"""The documents that describe the web API and the topics: valid, and of all routes and topics that there are."""

from __future__ import annotations

import gzip
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from faust.web import View
from jsonschema import Draft7Validator
from openapi_spec_validator import validate

from bp_faust.app import app
from bp_faust.topic_api import describe_topics
from bp_faust.views.operations import UndeclaredError, describe, operation

ASYNCAPI_SCHEMA = Path(__file__).parents[1] / "data" / "asyncapi" / "3.0.0-without-id.json.gz"


def described() -> dict[str, Any]:
    """Return the OpenAPI document of all views."""
    for name in app.conf.autodiscover:
        import_module(name)
    return json.loads(json.dumps(describe(app.web.views, token_needed=True)))  # type: ignore[no-any-return]


def test_every_route_is_described_and_nothing_else() -> None:
    document = described()
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in app.web.web_app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    told = {(method, path) for path, item in document["paths"].items() for method in item if method in dir(View)}
    assert told == routes


def test_the_openapi_document_is_valid() -> None:
    validate(described())


def test_the_asyncapi_document_is_valid_and_of_all_topics() -> None:
    document = json.loads(json.dumps(describe_topics()))
    Draft7Validator(json.loads(gzip.decompress(ASYNCAPI_SCHEMA.read_bytes()))).validate(document)
    assert {channel["address"] for channel in document["channels"].values()} == set(app.batched_topics)


def test_all_schemas_that_are_referred_to_are_there() -> None:
    for document in (described(), describe_topics()):
        text = json.dumps(document)
        names = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
        assert names <= set(document["components"]["schemas"])


def test_a_view_that_does_not_say_what_it_answers_is_named() -> None:
    class Undeclared(View):
        async def get(self, request: Any) -> Any: ...

    with pytest.raises(UndeclaredError, match=r"Undeclared\.get, which answers GET /new/, .* @operation"):
        describe({"/new/": Undeclared(app, app.web)}, token_needed=False)


def test_docstrings_and_declarations_are_what_is_told() -> None:
    class Told(View):
        """Be told of."""

        view_name = "told"

        @operation(list[int], body=dict[str, int], query={"since": "From when."}, other={409: int})
        async def post(self, request: Any) -> Any:
            """Do it.

            More of it.
            """

    item = describe({"/told/{name}/": Told(app, app.web)}, token_needed=False)["paths"]["/told/{name}/"]
    assert item["summary"] == "Be told of."
    assert [one["name"] for one in item["parameters"] + item["post"]["parameters"]] == ["name", "since"]
    assert (item["post"]["summary"], item["post"]["description"]) == ("Do it.", "More of it.")
    assert set(item["post"]["responses"]) == {"200", "409", "default"}
    (content,) = item["post"]["requestBody"]["content"].values()
    assert content["schema"]["additionalProperties"] == {"type": "integer"}
