"""What requests and answers for embeddings look like. https://ai.google.dev/api/embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.types import Dialect
from gateway.wire.canonical.embedding import EmbeddingTask
from gateway.wire.gemini_generate.keys import camel

DIALECT: Final[Dialect] = "gemini.embed"

TASKS: Final[Mapping[EmbeddingTask, str]] = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "similarity": "SEMANTIC_SIMILARITY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "question_answering": "QUESTION_ANSWERING",
    "fact_verification": "FACT_VERIFICATION",
    "code_query": "CODE_RETRIEVAL_QUERY",
}


class _Part(Struct):
    text: str | None = None


class _Content(Struct):
    parts: list[_Part]


class Settings(Struct, rename="camel", omit_defaults=True):
    """How to embed."""

    task_type: str | None = None
    title: str | None = None
    output_dimensionality: int | None = None


class One(Settings, rename="camel", kw_only=True):
    """A request for one vector; the settings may stand in `embedContentConfig` instead."""

    content: _Content
    embed_content_config: dict[str, Any] | None = None

    def text(self) -> str | None:
        """Return the words; None when it holds something else."""
        texts = [part.text for part in self.content.parts]
        return "\n".join(text for text in texts if text is not None) if all(texts) else None

    def settings(self) -> tuple[Settings, dict[str, Any]]:
        """Return the settings, and what is set beyond them."""
        given = self.embed_content_config or {}
        inner = msgspec.convert({"embedContentConfig": given}, _Config).embed_content_config
        known = Settings.__struct_encode_fields__
        beyond = {name: value for name, value in given.items() if name not in known}
        return Settings(
            inner.task_type or self.task_type,
            inner.title or self.title,
            inner.output_dimensionality or self.output_dimensionality,
        ), beyond


class _Config(Struct, rename="camel"):
    """For the sake of its name in messages."""

    embed_content_config: Settings


class _Many(Struct):
    requests: list[One]


class Vector(Struct):
    """One vector."""

    values: Sequence[float]


class UsageMetadata(Struct, rename="camel"):
    """What was used."""

    prompt_token_count: int | None = None
    total_token_count: int | None = None


class Answer(Struct, rename="camel", omit_defaults=True):
    """One vector or many."""

    embedding: Vector | None = None
    embeddings: list[Vector] | None = None
    usage_metadata: UsageMetadata | None = None


def decode_ones(body: bytes) -> tuple[list[One], list[tuple[Settings, dict[str, Any]]], bool]:
    """Read the requests for one vector each, the settings of each, and whether they came as a batch."""
    document = camel(msgspec.json.decode(body))
    several = isinstance(document, dict) and "requests" in document
    ones = msgspec.convert(document, _Many).requests if several else [msgspec.convert(document, One)]
    return ones, [one.settings() for one in ones], several


decode_answer = msgspec.json.Decoder(Answer).decode
