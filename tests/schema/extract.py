"""Extracts from OpenAI's published description of its API what the tests check: names, types and required fields.

    python tests/schema/extract.py openapi.yaml > tests/schema/openai.json

The description is https://github.com/openai/openai-openapi/blob/master/openapi.yaml. Its words are left there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml

SOURCE = "https://github.com/openai/openai-openapi"
ROOTS = (
    "Batch",
    "CreateChatCompletionResponse",
    "CreateChatCompletionStreamResponse",
    "CreateCompletionResponse",
    "CreateEmbeddingResponse",
    "CreateModerationResponse",
    "CreateSpeechResponseStreamEvent",
    "CreateTranscriptionResponseDiarizedJson",
    "CreateTranscriptionResponseJson",
    "CreateTranscriptionResponseStreamEvent",
    "CreateTranscriptionResponseVerboseJson",
    "CreateTranslationResponseJson",
    "CreateTranslationResponseVerboseJson",
    "DeleteFileResponse",
    "DeletedVideoResource",
    "ErrorResponse",
    "ImageEditStreamEvent",
    "ImageGenStreamEvent",
    "ImagesResponse",
    "ListBatchesResponse",
    "ListFilesResponse",
    "ListModelsResponse",
    "Model",
    "OpenAIFile",
    "Response",
    "ResponseItemList",
    "ResponseStreamEvent",
    "TokenCountsResource",
    "VideoListResource",
    "VideoResource",
)
"""The answers of the routes that the gateway has too."""

WORDS = frozenset(
    {"description", "title", "example", "examples", "default", "deprecated", "externalDocs", "discriminator"}
)
"""What says nothing of the shape."""
NAMED = frozenset({"properties", "patternProperties", "$defs"})
"""What holds schemas by names of the API's own, which may be any of WORDS."""


def shape(schema: Any) -> Any:
    """Return a schema without its words; `nullable`, of older OpenAPI, becomes a type."""
    if isinstance(schema, list):
        return [shape(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    fields = cast("dict[str, Any]", schema)
    kept: dict[str, Any] = {}
    for key, value in fields.items():
        if key in NAMED:
            kept[key] = {name: shape(each) for name, each in value.items()}
        elif key not in WORDS and key != "nullable" and not key.startswith("x-"):
            kept[key] = shape(value)
    return {"anyOf": [kept, {"type": "null"}]} if fields.get("nullable") else kept


def references(schema: Any) -> Iterator[str]:
    """Name every schema that one refers to."""
    if isinstance(schema, list):
        for each in cast("list[Any]", schema):
            yield from references(each)
    elif isinstance(schema, dict):
        for key, value in cast("dict[str, Any]", schema).items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            else:
                yield from references(value)


def extract(document: Any) -> dict[str, Any]:
    """Return the schemas of ROOTS and of all that they refer to."""
    schemas = document["components"]["schemas"]
    found: dict[str, Any] = {}
    todo = [*ROOTS]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = shape(schemas[name])
            todo += references(found[name])
    return {"source": SOURCE, "version": document["info"]["version"], "schemas": dict(sorted(found.items()))}


def main() -> None:
    """Write one schema a line, so that changes can be seen."""
    facts = extract(yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8")))
    schemas = facts.pop("schemas")
    lines = [f"  {json.dumps(name)}: {json.dumps(each, sort_keys=True)}" for name, each in schemas.items()]
    head = json.dumps(facts)[1:-1]
    print("{" + head + ', "schemas": {\n' + ",\n".join(lines) + "\n}}")


if __name__ == "__main__":
    main()
