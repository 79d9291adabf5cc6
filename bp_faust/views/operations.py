"""Declare what views take and answer, and describe all of them as an OpenAPI document."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, NamedTuple, TypeVar

from faust.web import View

from bp_faust.schemas import schemas_of
from bp_faust.views.access import OPEN_ROUTES
from bp_faust.views.answers import Error
from bp_faust.views.sessions import COOKIE

_Method = TypeVar("_Method", bound=Callable[..., Any])

#: HEAD is answered as GET is, without the body.
_METHODS = ("get", "post", "put", "patch", "delete")

_JSON = "application/json"
FHIR_JSON = "application/fhir+json"


class Operation(NamedTuple):
    """Hold what a view's method takes and answers."""

    #: The type that is encoded into the answer; ``str`` where that is not JSON.
    answer: Any
    #: The status of that answer.
    status: int
    media_type: str
    #: The type that the request's body is decoded into, None where it has no body.
    body: Any
    #: What each parameter of the query means, by name.
    query: Mapping[str, str]
    #: The types of answers with other statuses that are no ``Error``, by status.
    other: Mapping[int, Any]


def operation(
    answer: Any,
    *,
    status: int = 200,
    media_type: str = _JSON,
    body: Any = None,
    query: Mapping[str, str] | None = None,
    other: Mapping[int, Any] | None = None,
) -> Callable[[_Method], _Method]:
    """Declare what a view's method takes and answers; all of it that is not told here is told by its docstrings."""

    def declare(method: _Method) -> _Method:
        method.operation = Operation(answer, status, media_type, body, query or {}, other or {})  # type: ignore[attr-defined]
        return method

    return declare


class UndeclaredError(Exception):
    """A view's method does not say what it answers."""


def operations(views: Mapping[str, View]) -> Iterator[tuple[str, str, Callable[..., Any], Operation]]:
    """Yield path, method's name, method and declaration of everything that can be asked for.

    Raises UndeclaredError where a view's method has no declaration.
    """
    for path, view in sorted(views.items()):
        for name in _METHODS:
            method = getattr(type(view), name)
            if method is getattr(View, name):
                continue
            declared = getattr(method, "operation", None)
            if declared is None:
                raise UndeclaredError(
                    f"{type(view).__name__}.{name}, which answers {name.upper()} {path}, does not say what: put "
                    f"@operation(…) of bp_faust.views.operations above it, with a type of bp_faust.views.answers."
                )
            yield path, name, method, declared


def describe(views: Mapping[str, View], *, token_needed: bool) -> dict[str, Any]:
    """Return the OpenAPI document of some views, by path.

    Raises UndeclaredError where a view's method has no declaration.
    """
    found = list(operations(views))
    schemas, components = schemas_of([Error, *(one for *_, declared in found for one in _types(declared))])
    paths: dict[str, Any] = {}
    for path, name, method, declared in found:
        # OpenAPI has no word for what a part of a path may hold.
        told = re.sub(r":[^{}]*}", "}", path)
        item = paths.setdefault(told, {"summary": _first_line(type(views[path])), **_path_parameters(told)})
        item[name] = _operation(method, declared, schemas)
        item[name]["operationId"] = f"{name}-{views[path].view_name}"
        if path.startswith("/fhir"):
            item[name]["security"] = [{"fhirToken": []}, *([{"token": []}, {"session": []}] if name == "get" else [])]
        elif told in OPEN_ROUTES:
            item[name]["security"] = []
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bp_faust",
            "version": version("bp_faust"),
            "summary": "What a worker answers over HTTP.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{"token": []}, {"session": []}] if token_needed else [],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "BP_FAUST_WEB_TOKEN"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "From POST /session/"},
                "fhirToken": {"type": "http", "scheme": "bearer", "description": "BP_FAUST_FHIR_TOKEN"},
            },
        },
    }


def _operation(method: Callable[..., Any], declared: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    first, _, more = inspect.cleandoc(method.__doc__ or "").partition("\n")
    responses: dict[str, Any] = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {declared.media_type: {"schema": schemas[answer]}},
        }
        for status, answer in {declared.status: declared.answer, **declared.other}.items()
    }
    errors = {_JSON: {"schema": schemas[Error]}}
    if declared.media_type == FHIR_JSON:
        errors[FHIR_JSON] = {"schema": schemas[declared.answer]}
    responses["default"] = {"description": "What is wrong, in a sentence.", "content": errors}
    described: dict[str, Any] = {"summary": first, "responses": responses}
    if more.strip():
        described["description"] = more.strip()
    if declared.query:
        described["parameters"] = [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}, "allowEmptyValue": True}
            for name, text in declared.query.items()
        ]
    if declared.body is not None:
        content = {declared.media_type: {"schema": schemas[declared.body]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _types(declared: Operation) -> list[Any]:
    return [declared.answer, *declared.other.values(), *([declared.body] if declared.body is not None else [])]


def _path_parameters(path: str) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", path)
    if not names:
        return {}
    schema = {"type": "string"}
    return {"parameters": [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]}


def _first_line(described: Any) -> str:
    return inspect.cleandoc(described.__doc__ or "").partition("\n")[0]
