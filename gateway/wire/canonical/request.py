"""A request for chat. None always means that the client did not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from gateway.types import Dialect
from gateway.wire.canonical.parts import CacheHint, Foreign, Part

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]


class Message(Struct, frozen=True, kw_only=True):
    """One turn.

    `tool` messages hold `ToolResult`s only, all results that follow one another in one message; tool results stand
    nowhere else. `ToolCall` and `Thinking` stand in `assistant` messages only.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


class Tool(Struct, frozen=True, kw_only=True):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: Any = None
    """A JSON Schema; None when the client gave none."""
    strict: bool | None = None
    custom: bool = False
    """Takes plain text instead of JSON (OpenAI's custom tools)."""
    format: Any = None
    """Of a custom tool's text: OpenAI's `{"type": "grammar", …}`."""
    cache: CacheHint | None = None


class ToolChoice(Struct, frozen=True, kw_only=True):
    """Which tools the model may or must use."""

    mode: Literal["auto", "none", "required"]
    names: tuple[str, ...] = ()
    """Only these; `required` with one name is that very tool."""


class ResponseFormat(Struct, frozen=True, kw_only=True):
    """The shape of the answer's text."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: Any = None
    strict: bool | None = None


class Reasoning(Struct, frozen=True, kw_only=True):
    """How much the model is to think, and what it shows of that."""

    effort: str | None = None
    """`none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`."""
    budget: int | None = None
    """Tokens; 0 is no thinking, -1 the model's own choice."""
    summary: str | None = None
    """`auto`, `concise`, `detailed`: thoughts are to be shown; `none`: they are not; None: the client did not say."""


class AudioOutput(Struct, frozen=True, kw_only=True):
    """How a spoken answer is to sound."""

    voice: str | None = None
    format: str | None = None


class ChatRequest(Struct, frozen=True, kw_only=True):
    """What a client asks."""

    dialect: Dialect
    """In which the client asked."""
    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    shows_usage: bool = True
    """Whether usage is to be shown in the stream."""
    tools: tuple[Tool | Foreign, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    max_tokens: int | None = None
    """Of the answer, thoughts included where the provider counts so."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning: Reasoning | None = None
    verbosity: str | None = None
    """`low`, `medium`, `high`."""
    user: str | None = None
    """The client's name for its end user."""
    metadata: Mapping[str, str] | None = None
    service_tier: str | None = None
    store: bool | None = None
    cache_key: str | None = None
    modalities: tuple[str, ...] = ()
    """`text`, `audio`, `image`: what the answer may be made of."""
    audio: AudioOutput | None = None
    extra: Mapping[str, Any] = {}
    """Top-level fields of the client's dialect that the form has no place for, decoded."""
