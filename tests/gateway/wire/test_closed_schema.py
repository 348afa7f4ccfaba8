"""Objects are closed to further properties, and nothing else of a schema changes."""

from __future__ import annotations

from typing import Any

from gateway.wire.closed_schema import closed

INNER = {"type": "object", "properties": {"additionalProperties": {"type": "object"}}}


def shut(**more: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, **more}


def test_objects_everywhere_are_closed() -> None:
    schema = {
        "$defs": {"Inner": INNER},
        "properties": {
            "list": {"type": "array", "items": {"type": "object"}},
            "either": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "object"}, True]},
            "text": {"type": "string", "enum": ["object"]},
        },
    }
    assert closed(schema) == {
        "$defs": {"Inner": shut(properties={"additionalProperties": shut()})},
        "properties": {
            "list": {"type": "array", "items": shut()},
            "either": {"anyOf": [{"$ref": "#/$defs/Inner"}, shut(), True]},
            "text": {"type": "string", "enum": ["object"]},
        },
        "additionalProperties": False,
    }


def test_what_the_client_says_stays() -> None:
    for said in (True, False, {"type": "string"}):
        assert closed({"type": "object", "additionalProperties": said})["additionalProperties"] == said


def test_values_that_look_like_schemas_are_none() -> None:
    schema = {"enum": [{"type": "object"}], "default": {"type": "object"}, "items": [{"type": "object"}]}
    assert closed(schema) == schema
