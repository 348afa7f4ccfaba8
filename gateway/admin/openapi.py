"""The description of the admin API in OpenAPI 3.1, made of the declared endpoints. https://spec.openapis.org/oas/v3.1.1.html."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.admin import PREFIX
from gateway.admin.endpoint import SIGNED_IN, Endpoint
from gateway.admin.problems import MEDIA_TYPE, Problem

_REFERENCE: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_WORDS: Final = re.compile(r"[a-z]+")
_SECURITY: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key with permissions, an access token of a session, or a token of an identity provider.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-gateway_session",
        "description": "The cookie of a browser's session; requests that change something also need `x-csrf-token`.",
    },
}


def describe(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Describe the endpoints as an OpenAPI document."""
    shapes: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        (Problem, "serialization")
    ]
    for endpoint in endpoints:
        if endpoint.body is not None:
            shapes.append((endpoint.body, "validation"))
        if endpoint.answer is not None:
            shapes.append((endpoint.answer, "serialization"))
        shapes.append((endpoint.query, "validation"))
    names, found = models_json_schema(list(dict.fromkeys(shapes)), ref_template=_REFERENCE)
    schemas: dict[str, Any] = found.get("$defs", {})
    described = {shape: schema["$ref"].rpartition("/")[2] for shape, schema in names.items()}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in sorted(endpoints, key=lambda one: one.path):
        query = schemas[described[endpoint.query, "validation"]]
        operation = _operation(endpoint, described, query)
        paths.setdefault(PREFIX + _PARAMETER.sub(r"{\1}", endpoint.path), {})[endpoint.method.lower()] = (
            operation
        )
    for endpoint in endpoints:
        schemas.pop(described[endpoint.query, "validation"], None)
    return {
        "openapi": "3.1.0",
        "info": {"title": "asgi-gateway: administration", "version": version("asgi-gateway")},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
        "security": [{"bearer": []}, {"session": []}],
    }


def _operation(endpoint: Endpoint, named: dict[Any, str], query: dict[str, Any]) -> dict[str, Any]:
    resource = endpoint.handler.__module__.rpartition(".")[2]
    fields: dict[str, Any] = {
        "operationId": "_".join(
            [endpoint.method.lower(), *_WORDS.findall(endpoint.path.replace(":path", ""))]
        ),
        "summary": endpoint.summary,
        "tags": [resource],
        "x-permissions": [] if endpoint.permission == SIGNED_IN else list(endpoint.permissions),
        "parameters": [*_in_path(endpoint), *_in_query(query), *_everywhere(endpoint)],
        "responses": _responses(endpoint, named),
    }
    if endpoint.body is not None:
        schema = {"$ref": _REFERENCE.format(model=named[endpoint.body, "validation"])}
        fields["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return fields


def _responses(endpoint: Endpoint, named: dict[Any, str]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done."}
    if endpoint.answer is not None:
        schema = {"$ref": _REFERENCE.format(model=named[endpoint.answer, "serialization"])}
        done["content"] = {"application/json": {"schema": schema}}
        if "revision" in endpoint.answer.model_fields:
            done["headers"] = {
                "etag": {"schema": {"type": "string"}, "description": "The revision, for If-Match."}
            }
    elif endpoint.media is not None:
        schema = {} if endpoint.media == "application/json" else {"type": "string"}
        done["content"] = {endpoint.media: {"schema": schema}}
    refusal = {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model=named[Problem, "serialization"])}}}
    responses = {
        str(endpoint.success): done,
        "401": {"description": "No credential, or one that is not good.", "content": refusal},
        "4XX": {"description": "The request cannot be carried out.", "content": refusal},
        "5XX": {"description": "The gateway failed.", "content": refusal},
    }
    if endpoint.method == "GET" and "headers" in done:
        responses["304"] = {"description": "`If-None-Match` names the present revision."}
    return responses


def _in_path(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(endpoint.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _in_query(query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    required = query.get("required", ())
    for name, schema in query.get("properties", {}).items():
        rest = {key: value for key, value in schema.items() if key != "description"}
        parameter = {"name": name, "in": "query", "schema": rest, "required": name in required}
        yield parameter | ({"description": schema["description"]} if "description" in schema else {})


def _everywhere(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    text = {"type": "string"}
    if not endpoint.of_gateway and endpoint.permission != SIGNED_IN:
        told = (
            "For operators: the tenant that is meant, if not their own. The header `X-Tenant` says the same."
        )
        yield {"name": "tenant", "in": "query", "required": False, "schema": text, "description": told}
    if endpoint.needs_match:
        told = "The ETag of what is to be changed, or `*`."
        yield {"name": "If-Match", "in": "header", "required": True, "schema": text, "description": told}
    if endpoint.method == "POST":
        told = (
            "Any text of one's own: the same request with the same key within a day is not carried out again."
        )
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": schema,
            "description": told,
        }
