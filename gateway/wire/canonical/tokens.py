"""How many tokens a chat would take. The request is a `ChatRequest` whose limits and streaming are of no matter."""

from __future__ import annotations

from msgspec import Struct


class TokenCount(Struct, frozen=True, kw_only=True):
    """What counting came to."""

    prompt_tokens: int
    """All of the request: messages, tools, system prompt; the cached ones included."""
    cached_tokens: int | None = None
    """Of these, those that lie in a cache; None when the provider does not say."""
