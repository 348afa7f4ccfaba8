"""A streamed answer, event by event.

A stream is `Start`, then deltas, then for each choice one `Stop`, then perhaps a `UsageReport`, then `End`. Deltas of one choice come in the
order of their parts: a delta of another kind (or a `ToolCallStart`, or a `ThinkingEnd`) ends the part before it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct

from gateway.types import Dialect, Usage
from gateway.wire.canonical.answer import StopReason, TokenLogprob
from gateway.wire.canonical.parts import Citation


class Start(Struct, frozen=True, gc=False):
    """The provider has begun."""

    id: str
    model: str
    created: int = 0
    """Unix seconds; 0 when the provider does not say."""
    usage: Usage | None = None
    """What is known of it at the beginning: the prompt's tokens."""
    service_tier: str | None = None
    """Where the provider says it at the beginning."""


class TextDelta(Struct, frozen=True, gc=False):
    """More words."""

    text: str
    choice: int = 0
    signature: str | None = None
    """Gemini's thought signature on this text."""


class ThinkingDelta(Struct, frozen=True, gc=False):
    """More thoughts."""

    text: str
    choice: int = 0


class ThinkingEnd(Struct, frozen=True, gc=False):
    """A thought is over; only when there is something to say about it. Without deltas before it, it is a whole part."""

    choice: int = 0
    signature: str | None = None
    encrypted: str | None = None
    id: str | None = None
    origin: Dialect | None = None


class RefusalDelta(Struct, frozen=True, gc=False):
    """More words of a refusal."""

    text: str
    choice: int = 0


class ToolCallStart(Struct, frozen=True, gc=False):
    """A tool call begins. `index` counts the tool calls of the choice from 0; `id` and `name` are never empty."""

    index: int
    id: str
    name: str
    choice: int = 0
    custom: bool = False
    signature: str | None = None


class ToolCallDelta(Struct, frozen=True, gc=False):
    """More of the arguments of the tool call with that index, which may not be the last one."""

    index: int
    arguments: str
    choice: int = 0


class CitationDelta(Struct, frozen=True, gc=False):
    """A citation; its positions count all text of the choice, whatever stands in between.

    One without positions is of the text part that is open, or was last.
    """

    citation: Citation
    choice: int = 0


class MediaDelta(Struct, frozen=True, gc=False):
    """A whole picture or the like within the answer."""

    media_type: str
    data: str
    """Base64."""
    choice: int = 0
    signature: str | None = None


class AudioDelta(Struct, frozen=True, gc=False):
    """More sound, more transcript, or both."""

    id: str | None = None
    data: str | None = None
    """Base64."""
    transcript: str | None = None
    expires_at: int | None = None
    choice: int = 0


class LogprobsDelta(Struct, frozen=True):
    """How likely the tokens of the text were that was just sent, or is about to be."""

    tokens: tuple[TokenLogprob, ...]
    choice: int = 0


class Stop(Struct, frozen=True):
    """A choice is complete."""

    reason: StopReason
    choice: int = 0
    sequence: str | None = None
    safety: Any = None


class UsageReport(Struct, frozen=True, gc=False):
    """What the whole call used; of several, the last counts."""

    usage: Usage
    service_tier: str | None = None
    """Where the provider says it at the end; it counts more than what `Start` says."""


class ForeignEvent(Struct, frozen=True):
    """Something that only one dialect can say; other encoders leave it out."""

    dialect: Dialect
    value: Any
    """The decoded JSON."""


class End(Struct, frozen=True, gc=False):
    """The provider has said its last word."""


Event: TypeAlias = (
    Start
    | TextDelta
    | ThinkingDelta
    | ThinkingEnd
    | RefusalDelta
    | ToolCallStart
    | ToolCallDelta
    | CitationDelta
    | MediaDelta
    | AudioDelta
    | LogprobsDelta
    | Stop
    | UsageReport
    | ForeignEvent
    | End
)
