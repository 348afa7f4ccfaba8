"""What ordering documents used: searches on Cohere's bill, tokens on that of others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

from msgspec import Struct

from gateway.types import Usage
from gateway.wire.estimate import estimated_tokens

DOCUMENTS_PER_SEARCH: Final = 100
"""Cohere counts a search for each hundred documents. https://docs.cohere.com/docs/how-does-cohere-pricing-work"""


class Units(Struct):
    """Cohere's counts, which it sends as floats."""

    search_units: float | None = None
    input_tokens: float | None = None
    total_tokens: float | None = None


class Meta(Struct):
    """Where Cohere tells them."""

    billed_units: Units | None = None
    tokens: Units | None = None


class Counted(Struct):
    """Where Jina, Together, vLLM and others tell tokens, and OpenRouter searches, too."""

    prompt_tokens: float | None = None
    total_tokens: float | None = None
    search_units: float | None = None


def told(meta: Meta | None, counted: Counted | None) -> Usage | None:
    """Return what a service tells; None when it tells nothing."""
    billed = (meta and meta.billed_units) or Units()
    tokens = (meta and meta.tokens) or billed
    others = counted or Counted()
    searches = billed.search_units or others.search_units
    prompt = tokens.input_tokens or tokens.total_tokens or others.prompt_tokens or others.total_tokens
    if searches is None and prompt is None:
        return None
    return Usage(prompt_tokens=int(prompt or 0), searches=int(searches or 0))


def estimated(query: Any, documents: Iterable[Any]) -> Usage:
    """Estimate as such models work: the query is read again with every document."""
    lengths = [_length(document) for document in documents]
    return Usage(
        prompt_tokens=estimated_tokens(_length(query) * len(lengths) + sum(lengths)),
        searches=-(-len(lengths) // DOCUMENTS_PER_SEARCH),
        estimated=True,
    )


def _length(given: Any) -> int:
    """Count the characters of a text, or of the texts in an object's fields."""
    if isinstance(given, str):
        return len(given)
    if not isinstance(given, dict):
        return 0
    return sum(len(value) for value in cast("dict[str, Any]", given).values() if isinstance(value, str))
