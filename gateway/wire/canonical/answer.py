"""A whole answer to a chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from gateway.types import Usage
from gateway.wire.canonical.parts import Part

StopReason: TypeAlias = Literal[
    "stop", "stop_sequence", "length", "context", "tool_calls", "content_filter", "refusal", "pause", "error"
]
"""`length` is the client's own limit, `context` the model's window; `pause` is Anthropic's `pause_turn`;
`error` is a tool call that the model could not form."""


class TokenLogprob(Struct, frozen=True, kw_only=True):
    """One token and how likely it was."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top: tuple[TokenLogprob, ...] = ()


class Choice(Struct, frozen=True, kw_only=True):
    """One of the answers that were asked for."""

    index: int = 0
    parts: tuple[Part, ...] = ()
    stop: StopReason | None = None
    stop_sequence: str | None = None
    """The words that ended it, when the provider says which."""
    logprobs: tuple[TokenLogprob, ...] | None = None
    safety: Any = None
    """Safety results, decoded, in the provider's own form."""


class ChatAnswer(Struct, frozen=True, kw_only=True):
    """What the provider answered."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    created: int = 0
    """Unix seconds; 0 when the provider does not say."""
    usage: Usage | None = None
    service_tier: str | None = None
    fingerprint: str | None = None
    extra: Mapping[str, Any] = {}
    """Top-level fields of the provider's dialect that the form has no place for, decoded."""
