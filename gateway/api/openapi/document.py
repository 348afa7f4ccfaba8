"""Writes the description from the routes themselves, so that it lists what there is. https://spec.openapis.org/oas/v3.1.1.html."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api.gemini import METHODS
from gateway.api.openapi.calls import CALLS
from gateway.api.openapi.google import GOOGLE
from gateway.api.openapi.operation import ERRORS, Family, Operation
from gateway.api.openapi.stored import STORED

PATH: Final = "/openapi.json"
OPERATIONS: Final = {**GOOGLE, **CALLS, **STORED}
"""Everything that is known of, by method and path."""

_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_SECURITY: Final[Mapping[str, Mapping[str, str]]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "x-goog-api-key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
}
_KEYS: Final[Mapping[Family, str]] = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}
"""The header that a family's clients send their key in."""
_NUMBERED: Final = {
    "x-request-id": {"description": "Names the request in logs and the ledger.", "schema": {"type": "string"}}
}
_REFUSALS: Final = {
    HTTPStatus.UNAUTHORIZED: "No credential, or one that is not good.",
    HTTPStatus.TOO_MANY_REQUESTS: "A limit is used up; `retry-after` says for how long.",
}


class OpenApiEndpoint:
    """Answers with the description; needs no credential and tells no more than the documentation does."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.route = Route(PATH, self.show)
        self._routes = [*routes, self.route]

    async def show(self, _request: Request) -> Response:
        """Send it."""
        return Response(self._document, media_type="application/json")

    @cached_property
    def _document(self) -> bytes:
        return msgspec.json.encode(describe(self._routes))


def describe(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Describe the routes as an OpenAPI document. One that OPERATIONS does not hold is listed with its errors alone."""
    listed = sorted(_listed(routes))
    found = {place: OPERATIONS.get(place, Operation(summary=" ".join(place))) for place in listed}
    shapes = [*ERRORS.values(), *(shape for operation in found.values() for shape in _shapes(operation))]
    _, components = msgspec.json.schema_components(
        dict.fromkeys(shapes), ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in found.items():
        paths.setdefault(path, {})[method.lower()] = _operation(path, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "asgi-gateway", "version": version("asgi-gateway")},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
        "security": [{"bearer": []}],
    }


def _listed(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Name method and path of every operation; the route for all of Gemini's methods is as many as there are.

    OpenAPI has no words for WebSockets, nor for the paths below `/provider/`, which are the providers' own.
    """
    for route in routes:
        if not isinstance(route, Route):
            continue
        if route.path == "/v1beta/{rest:path}":
            for version_, method in ((v, m) for v in ("v1", "v1beta") for m in METHODS):
                yield "POST", f"/{version_}/models/{{model}}:{method}"
        else:
            for method in (route.methods or set()) - {"HEAD"}:
                yield method, _PARAMETER.sub(r"{\1}", route.path)


def _shapes(operation: Operation) -> Iterator[type[Struct]]:
    yield from operation.answers
    if operation.request is not None:
        yield operation.request
    if operation.form is not None:
        yield operation.form


def _operation(path: str, operation: Operation) -> dict[str, Any]:
    refusal = {"application/json": {"schema": _any_of([ERRORS[family] for family in operation.families])}}
    answers: dict[str, Any] = {operation.status: _response("Done.", _content(operation))}
    if operation.public:
        answers["5XX"] = _response("Not now.", _content(operation))
    else:
        for status, description in _REFUSALS.items():
            answers[str(int(status))] = _response(description, refusal)
        answers["4XX"] = _response("The request cannot be carried out.", refusal)
        answers["5XX"] = _response("The gateway or the provider failed.", refusal)
    fields: dict[str, Any] = {
        "summary": operation.summary,
        "parameters": [*_in_path(path), *_in_query(operation)],
        "responses": answers,
    }
    bodies = (("application/json", operation.request), ("multipart/form-data", operation.form))
    content = {kind: {"schema": _reference(shape)} for kind, shape in bodies if shape is not None}
    if content:
        fields["requestBody"] = {"required": True, "content": content}
    if operation.public:
        fields["security"] = []
    elif operation.families != ("openai",):
        fields["security"] = [
            {name: []} for name in ("bearer", *(_KEYS[f] for f in operation.families if f in _KEYS))
        ]
    return fields


def _content(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {kind: {"schema": {}} for kind in operation.others}
    if operation.answers:
        content["application/json"] = {"schema": _any_of(operation.answers)}
    return content


def _response(description: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "headers": _NUMBERED, "content": content}


def _in_path(path: str) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema} for name in _PARAMETER.findall(path)
    ]


def _in_query(operation: Operation) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": schema} for name, schema in operation.query.items()]


def _any_of(shapes: Sequence[type[Struct]]) -> dict[str, Any]:
    references = [_reference(shape) for shape in shapes]
    return references[0] if len(references) == 1 else {"anyOf": references}


def _reference(shape: type[Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}
