"""What the dialect calls things: finish reasons, kinds of thoughts, usage.

https://platform.openai.com/docs/api-reference/chat/object. Fields of thoughts are no part of it: `reasoning_content` is
DeepSeek's (https://api-docs.deepseek.com/guides/reasoning_model), `reasoning` and `reasoning_details` are OpenRouter's
(https://openrouter.ai/docs/use-cases/reasoning-tokens), and `extra_content` with thought signatures is Google's
(https://ai.google.dev/gemini-api/docs/thought-signatures).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

from msgspec import Struct

from gateway.types import Dialect, Usage
from gateway.wire.canonical import Citation, StopReason, Thinking, TokenLogprob

DIALECT: Final[Dialect] = "openai.chat"

_REASONS: Final[Mapping[str, StopReason]] = MappingProxyType(
    {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "function_call": "tool_calls",
        "content_filter": "content_filter",
        "model_length": "context",
        "error": "error",
        "insufficient_system_resource": "error",
    }
)
"""`model_length` is Mistral's word, `insufficient_system_resource` DeepSeek's."""

FINISH: Final[Mapping[StopReason, str]] = MappingProxyType(
    {
        "stop": "stop",
        "stop_sequence": "stop",
        "length": "length",
        "context": "length",
        "tool_calls": "tool_calls",
        "content_filter": "content_filter",
        "refusal": "content_filter",
        "pause": "stop",
        "error": "stop",
    }
)

_FORMATS: Final[Mapping[Dialect, str]] = MappingProxyType(
    {
        "anthropic.messages": "anthropic-claude-v1",
        "gemini.generate": "google-gemini-v1",
        "openai.responses": "openai-responses-v1",
    }
)
"""OpenRouter's names for whose thoughts they are; for others the dialect's own name is used."""
_ORIGINS: Final[Mapping[str, Dialect]] = MappingProxyType({name: origin for origin, name in _FORMATS.items()})


class Details(Struct, gc=False):
    """Of either side's tokens."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


_NO_DETAILS: Final = Details()


class UsageFields(Struct, gc=False):
    """Usage as it stands in answers and chunks."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None
    prompt_cache_hit_tokens: int | None = None
    """DeepSeek's name for cached tokens."""


class LogprobFields(Struct):
    """One token."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[LogprobFields] | None = None


class LogprobsFields(Struct):
    """Of a choice."""

    content: list[LogprobFields] | None = None
    refusal: list[LogprobFields] | None = None


def finish_reason(stop: StopReason, *, refused: bool) -> str:
    """Write why an answer ended; one in which the model said itself that it declines has ended as any other."""
    return "stop" if stop == "refusal" and refused else FINISH[stop]


def stop_reason(said: str) -> StopReason:
    """Understand a finish reason; one that is unknown (`eos`, `end_turn`) is an ordinary end."""
    return _REASONS.get(said, "stop")


def read_usage(usage: UsageFields | None) -> Usage | None:
    """Read usage; None when the provider did not really say."""
    if usage is None or usage.prompt_tokens is None:
        return None
    prompt = usage.prompt_tokens_details or _NO_DETAILS
    completion = usage.completion_tokens_details or _NO_DETAILS
    return Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens or 0,
        cached_read_tokens=prompt.cached_tokens or usage.prompt_cache_hit_tokens or 0,
        cached_write_tokens=prompt.cache_write_tokens or 0,
        reasoning_tokens=completion.reasoning_tokens or 0,
        audio_prompt_tokens=prompt.audio_tokens or 0,
        audio_completion_tokens=completion.audio_tokens or 0,
    )


def usage_fields(usage: Usage) -> dict[str, Any]:
    """Write usage as OpenAI does."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_read_tokens,
            "cache_write_tokens": usage.cached_write_tokens,
            "audio_tokens": usage.audio_prompt_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_completion_tokens,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def read_logprobs(logprobs: LogprobsFields | None) -> tuple[TokenLogprob, ...] | None:
    """Read how likely the tokens were, those of a refusal after the others."""
    if logprobs is None:
        return None
    return tuple(map(_logprob, [*(logprobs.content or ()), *(logprobs.refusal or ())])) or None


def logprobs_fields(tokens: tuple[TokenLogprob, ...], *, refused: bool) -> dict[str, Any]:
    """Write how likely the tokens were, of the text or of a refusal."""
    fields: dict[str, Any] = {"content": None, "refusal": None}
    return {**fields, "refusal" if refused else "content": [_logprob_fields(token) for token in tokens]}


def thinking_detail(thinking: Thinking, index: int) -> dict[str, Any] | None:
    """Write what is to be said of a thought beyond its text; None when there is nothing."""
    if thinking.signature is None and thinking.encrypted is None and thinking.id is None:
        return None
    detail: dict[str, Any] = {"index": index}
    if thinking.origin is not None:
        detail["format"] = _FORMATS.get(thinking.origin, thinking.origin)
    if thinking.id is not None:
        detail["id"] = thinking.id
    if thinking.signature is not None:
        detail["signature"] = thinking.signature
    if thinking.encrypted is None:
        return {"type": "reasoning.text", "text": thinking.text, **detail}
    if thinking.text:
        detail["summary"] = thinking.text
    return {"type": "reasoning.encrypted", "data": thinking.encrypted, **detail}


def read_thinking(details: Any, text: str | None) -> list[Thinking]:
    """Read thoughts: from `reasoning_details` where there are some that can be understood, else from the text."""
    items = cast("list[Any]", details) if isinstance(details, list) else []
    thoughts = [
        thinking
        for item in items
        if isinstance(item, dict) and (thinking := _detail(cast("dict[str, Any]", item)))
    ]
    if thoughts or not text:
        return thoughts
    return [Thinking(text=text)]


def citation_fields(citation: Citation, start: int, end: int) -> dict[str, Any] | None:
    """Write a citation of an address; None when it is none. `start` and `end` are those of its whole part."""
    if citation.url is None:
        return None
    cited = {
        "start_index": start if citation.start is None else citation.start,
        "end_index": end if citation.end is None else citation.end,
        "title": citation.title or citation.url,
        "url": citation.url,
    }
    return {"type": "url_citation", "url_citation": cited}


def signature_content(signature: str) -> dict[str, Any]:
    """Write a thought signature of Gemini's."""
    return {"google": {"thought_signature": signature}}


def read_signature(extra_content: Any) -> str | None:
    """Read a thought signature of Gemini's."""
    if not isinstance(extra_content, dict):
        return None
    google = cast("dict[str, Any]", extra_content).get("google")
    if not isinstance(google, dict):
        return None
    return _text(cast("dict[str, Any]", google).get("thought_signature"))


def _detail(item: dict[str, Any]) -> Thinking | None:
    said = _text(item.get("format"))
    thinking = Thinking(
        text=_text(item.get("text")) or _text(item.get("summary")) or "",
        signature=_text(item.get("signature")),
        encrypted=_text(item.get("data")),
        id=_text(item.get("id")),
        origin=_ORIGINS.get(said, said) if said else None,
    )
    return thinking if thinking.text or thinking.signature or thinking.encrypted else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _logprob(fields: LogprobFields) -> TokenLogprob:
    return TokenLogprob(
        token=fields.token,
        logprob=fields.logprob,
        bytes=None if fields.bytes is None else tuple(fields.bytes),
        top=tuple(map(_logprob, fields.top_logprobs or ())),
    )


def _logprob_fields(token: TokenLogprob) -> dict[str, Any]:
    fields = {"token": token.token, "logprob": token.logprob, "bytes": token.bytes}
    return {**fields, "top_logprobs": [_plain(top) for top in token.top]}


def _plain(token: TokenLogprob) -> dict[str, Any]:
    return {"token": token.token, "logprob": token.logprob, "bytes": token.bytes}
