"""A request to order documents by how well they answer a query, and the order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.types import Dialect, Usage


class RerankRequest(Struct, frozen=True, kw_only=True):
    """What a client wants ordered. None always means that the client did not say."""

    dialect: Dialect
    """In which the client asked."""
    model: str
    query: Any
    """A text; for a model that looks at pictures perhaps an object."""
    documents: tuple[Any, ...]
    """Texts, or objects with fields; never empty."""
    top_n: int | None = None
    """How many of the best are to be returned."""
    return_documents: bool = False
    """Whether the answer is to repeat the documents."""
    max_tokens_per_doc: int | None = None
    """Where long documents are to be cut."""
    extra: Mapping[str, Any] = {}
    """Top-level fields of the client's dialect that the form has no place for, decoded."""


class Ranked(Struct, frozen=True, kw_only=True):
    """One document in the order."""

    index: int
    """Its position in the request, from 0."""
    score: float
    """How relevant it is; what the numbers mean is the model's affair."""
    document: Any = None
    """The document, when the provider repeats it."""


class RerankAnswer(Struct, frozen=True, kw_only=True):
    """The documents, the most relevant first."""

    id: str = ""
    model: str = ""
    results: tuple[Ranked, ...]
    usage: Usage | None = None
