"""A request for embeddings, and the vectors that answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from gateway.types import Dialect, Usage

EmbeddingTask: TypeAlias = Literal[
    "query",
    "document",
    "similarity",
    "classification",
    "clustering",
    "question_answering",
    "fact_verification",
    "code_query",
]
"""What the vectors are for; `query` and `document` are the two sides of a search."""


class EmbeddingRequest(Struct, frozen=True, kw_only=True):
    """What a client wants embedded. None always means that the client did not say."""

    dialect: Dialect
    """In which the client asked."""
    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    """Texts, or token ids; never empty. A provider that cannot take token ids tells `Losses` of `inputs.tokens`."""
    several: bool = True
    """False when the client asked for one vector, in a dialect that says this differently."""
    dimensions: int | None = None
    """How long the vectors are to be."""
    base64: bool = False
    """The client wants the vectors as base64 of little-endian 32-bit floats."""
    task: EmbeddingTask | None = None
    user: str | None = None
    """The client's name for its end user."""
    extra: Mapping[str, Any] = {}
    """Top-level fields of the client's dialect that the form has no place for, decoded."""


class EmbeddingAnswer(Struct, frozen=True, kw_only=True):
    """The vectors, in the order of the inputs."""

    model: str
    vectors: tuple[Sequence[float], ...]
    usage: Usage | None = None
