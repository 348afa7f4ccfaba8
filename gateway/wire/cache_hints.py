"""What is worth caching of a prompt, and for how long, in the words of OpenAI's two dialects, of Anthropic, and of services with both.

https://developers.openai.com/api/docs/guides/prompt-caching and https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from msgspec import Struct

from gateway.types import Dialect
from gateway.wire.canonical import CacheHint

OPENAI: Final[frozenset[Dialect]] = frozenset({"openai.chat", "openai.responses"})
"""Whose clients mean OpenAI's breakpoints: only its newest models take them, and no other service does."""
OPTIONS: Final = frozenset({"prompt_cache_options", "prompt_cache_retention"})
"""Fields of a request that both of OpenAI's dialects have."""
_AS_ANTHROPIC: Final = {"30m": None, "12h": "1h"}
"""OpenAI's times, as Anthropic says them; where nothing is said, its short time counts."""


class Breakpoint(Struct):
    """`prompt_cache_breakpoint`."""

    mode: str = "explicit"
    ttl: str | None = None


def read_breakpoint(found: Breakpoint | None) -> CacheHint | None:
    """Read a breakpoint."""
    return None if found is None else CacheHint(found.ttl)


class Control(Struct):
    """`cache_control`, which is Anthropic's; services like OpenRouter take it in chat completions, too."""

    ttl: str | None = None


Mark: TypeAlias = Callable[[dict[str, Any], CacheHint], dict[str, Any]]
"""Puts a hint to a part of a message."""


def read_hint(found: Breakpoint | None, control: Control | None) -> CacheHint | None:
    """Read what a part of a chat completion's message says, in whichever words."""
    return CacheHint(control.ttl) if found is None and control is not None else read_breakpoint(found)


def marked(fields: dict[str, Any], hint: CacheHint) -> dict[str, Any]:
    """Return a part with a breakpoint."""
    ttl = {"ttl": hint.ttl} if hint.ttl else {}
    return {**fields, "prompt_cache_breakpoint": {"mode": "explicit", **ttl}}


def controlled(fields: dict[str, Any], hint: CacheHint) -> dict[str, Any]:
    """Return a part with `cache_control`."""
    return {**fields, "cache_control": control(hint)}


def control(hint: CacheHint) -> dict[str, Any]:
    """Write a hint as Anthropic does."""
    ttl = anthropic_ttl(hint)
    return {"type": "ephemeral", "ttl": ttl} if ttl else {"type": "ephemeral"}


def anthropic_ttl(hint: CacheHint) -> str | None:
    """Return `5m`, `1h`, or None for the provider's usual time; a time that is not known stays as the client said it."""
    return _AS_ANTHROPIC.get(hint.ttl, hint.ttl) if hint.ttl else None
