"""What is told of one method of one path: request, answers, and in whose words errors come."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from gateway.api.openapi import answers as a

Family: TypeAlias = Literal["openai", "anthropic", "gemini", "cohere"]

ERRORS: Final[Mapping[Family, type[Struct]]] = MappingProxyType(
    {
        "openai": a.OpenAIError,
        "anthropic": a.AnthropicError,
        "gemini": a.GeminiError,
        "cohere": a.CohereError,
    }
)
"""The shape of each family's errors."""


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path."""

    summary: str
    families: tuple[Family, ...] = ("openai",)
    """Whose clients ask: they have their own ways to send a key, and their own errors."""
    request: type[Struct] | None = None
    form: type[Struct] | None = None
    """What is sent as multipart/form-data, beside JSON or instead of it."""
    answers: tuple[type[Struct], ...] = ()
    """Shapes of a JSON answer, of which it has one."""
    others: tuple[str, ...] = ()
    """Content types of answers that are no JSON."""
    query: Mapping[str, Mapping[str, Any]] = {}
    """Schemas of the parameters after the question mark."""
    status: str = "200"
    """Of success."""
    public: bool = False
    """It needs no credential."""


EVENTS: Final = "text/event-stream"
