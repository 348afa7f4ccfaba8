"""Whole answers of Converse. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import msgspec
from msgspec import Raw, Struct

from gateway.types import Usage
from gateway.wire.bedrock_converse.blocks import BlockWriter, decode_blocks
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import ChatAnswer, Choice, StopReason
from gateway.wire.codec import EVERYTHING, Losses
from gateway.wire.dialect import WireError

STOPS: Final[Mapping[str, StopReason]] = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
    "model_context_window_exceeded": "context",
}
_STOP_WORDS: Final[Mapping[StopReason, str]] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "content_filter": "content_filtered",
    "refusal": "content_filtered",
    "error": "malformed_model_output",
    "context": "model_context_window_exceeded",
    "pause": "end_turn",
}


class TokenUsage(Struct):
    """Tokens; those of the prompt that went through the cache are not among the `inputTokens`."""

    inputTokens: int = 0  # noqa: N815 - the wire's own spelling
    outputTokens: int = 0  # noqa: N815
    cacheReadInputTokens: int | None = None  # noqa: N815
    cacheWriteInputTokens: int | None = None  # noqa: N815


class Trace(Struct):
    """What guardrails found."""

    guardrail: Any = None


class Tier(Struct):
    """The service tier that was used."""

    type: str | None = None


class _Message(Struct):
    content: list[Raw] = []


class _Output(Struct):
    message: _Message | None = None


class _Answer(Struct):
    output: _Output
    stopReason: str | None = None  # noqa: N815
    usage: TokenUsage | None = None
    trace: Trace | None = None
    serviceTier: Tier | None = None  # noqa: N815


_decode = msgspec.json.Decoder(_Answer).decode


def new_id() -> str:
    """Make an id for an answer: Converse gives it none."""
    return f"msg_{uuid4().hex}"


def decode_answer(body: bytes) -> ChatAnswer:
    """Read an answer. Raises `WireError` when it is none."""
    try:
        answer = _decode(body)
        message = answer.output.message
        parts = decode_blocks(message.content) if message is not None else ()
    except UNREADABLE as error:
        raise WireError(f"the answer is not one of Converse: {error}") from None
    return ChatAnswer(
        id=new_id(),
        model="",
        choices=(
            Choice(
                parts=parts,
                stop=STOPS.get(answer.stopReason or "", "stop"),
                safety=answer.trace.guardrail if answer.trace else None,
            ),
        ),
        usage=read_usage(answer.usage),
        service_tier=answer.serviceTier.type if answer.serviceTier else None,
    )


def read_usage(given: TokenUsage | None) -> Usage | None:
    """Read usage; the prompt's tokens then hold the cached ones."""
    if given is None:
        return None
    read, written = given.cacheReadInputTokens or 0, given.cacheWriteInputTokens or 0
    return Usage(
        prompt_tokens=given.inputTokens + read + written,
        completion_tokens=given.outputTokens,
        cached_read_tokens=read,
        cached_write_tokens=written,
    )


def encode_answer(answer: ChatAnswer) -> bytes:
    """Write an answer; of several choices the first, for Converse knows but one."""
    choice = answer.choices[0]
    content = BlockWriter(Losses("", {}, may_drop=EVERYTHING)).blocks(choice.parts)
    fields: dict[str, Any] = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_word(choice.stop),
        "usage": write_usage(answer.usage or Usage()),
        "metrics": {"latencyMs": 0},
    }
    if choice.safety is not None:
        fields["trace"] = {"guardrail": choice.safety}
    if answer.service_tier is not None:
        fields["serviceTier"] = {"type": answer.service_tier}
    return msgspec.json.encode(fields)


def stop_word(reason: StopReason | None) -> str:
    """Return Converse's word for why an answer ended."""
    return _STOP_WORDS[reason or "stop"]


def write_usage(usage: Usage) -> dict[str, int]:
    """Write usage."""
    cached = usage.cached_read_tokens + usage.cached_write_tokens
    return {
        "inputTokens": usage.prompt_tokens - cached,
        "outputTokens": usage.completion_tokens,
        "totalTokens": usage.prompt_tokens + usage.completion_tokens,
        "cacheReadInputTokens": usage.cached_read_tokens,
        "cacheWriteInputTokens": usage.cached_write_tokens,
    }
