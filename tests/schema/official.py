"""Checks answers against the shapes that OpenAI publishes for its API (see extract.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator

_FACTS: Mapping[str, Any] = json.loads((Path(__file__).parent / "openai.json").read_text())
_MAY_BE_NULL = (
    ("CreateChatCompletionResponse", ("system_fingerprint",)),
    ("CreateChatCompletionStreamResponse", ("system_fingerprint",)),
    ("CreateCompletionResponse", ("system_fingerprint",)),
    ("CreateCompletionResponse", ("choices", "finish_reason")),
    ("Response", ("user",)),
    ("Response", ("usage",)),
)
"""Where the description's own examples have null, which its schemas do not allow."""


def _amended(schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """Allow null where OpenAI's examples have it."""
    for name, path in _MAY_BE_NULL:
        for schema in _parts(schemas, name):
            for field in path[:-1]:
                schema = schema.get("properties", {}).get(field, {}).get("items", {})  # noqa: PLW2901 - a step down
            fields = schema.get("properties", {})
            if path[-1] in fields:
                fields[path[-1]] = {"anyOf": [fields[path[-1]], {"type": "null"}]}
    return schemas


def _parts(schemas: Mapping[str, Any], name: str) -> list[Any]:
    parts = [schemas[name]]
    for part in schemas[name].get("allOf", ()):
        reference = part.get("$ref", "").rpartition("/")[2]
        parts.append(schemas[reference] if reference else part)
    return parts


SCHEMAS: Mapping[str, Any] = _amended(_FACTS["schemas"])


@cache
def _validator(name: str) -> Draft202012Validator:
    root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    return Draft202012Validator(root)


@cache
def kinds(name: str) -> Mapping[str, str]:
    """Tell which schema a union has for each `type`."""
    found: dict[str, str] = {}
    for branch in SCHEMAS[name].get("anyOf", SCHEMAS[name].get("oneOf", ())):
        reference = branch["$ref"].rpartition("/")[2]
        said = SCHEMAS[reference]["properties"]["type"]
        for kind in said.get("enum", [said.get("const")]):
            found[kind] = reference
    return found


def problems(name: str, value: Any) -> list[str]:
    """List what is wrong with an answer, and where; nothing when it is as published."""
    return [
        f"{'.'.join(map(str, error.instance_path))}: {error.message}"
        for error in _validator(name).iter_errors(value)
    ]


def event_problems(name: str, event: Mapping[str, Any]) -> list[str]:
    """List what is wrong with an event of a stream whose events have types."""
    branch = kinds(name).get(event["type"])
    return problems(branch, event) if branch else [f"there is no event of the type {event['type']!r}"]


def events(body: bytes) -> Iterator[Any]:
    """Read the events of a stream; `[DONE]` is none."""
    for block in body.decode().split("\n\n"):
        data = "\n".join(line[6:] for line in block.split("\n") if line.startswith("data: "))
        if data and data != "[DONE]":
            yield json.loads(data)
