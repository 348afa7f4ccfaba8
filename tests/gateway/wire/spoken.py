"""What each of the dialects for chat can say, and what two of them can both say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, cast

from gateway.types import Dialect

from .canonical_strategies import FIELDS, Features

_REFUSED = {"type": "refusal", "category": "cyber", "explanation": "It would do harm."}
_RATED = [{"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "LOW", "blocked": False}]
_FILTERED = {"hate": {"filtered": True, "severity": "high"}}

OPENAI_CHAT = Features(
    dialect="openai.chat",
    opening=("system", "developer"),
    names=True,
    data_images=True,
    url_images=True,
    details=("low", "high", "auto"),
    audio=("audio/wav", "audio/mpeg"),
    documents=("application/pdf", "text/plain"),
    document_names=True,
    files=True,
    caches=(None, "30m", "12h"),
    cached=frozenset({"audio", "assistant"}),
    refusals=True,
    strict=True,
    custom_tools=True,
    allowed_tools=True,
    result_names=True,
    schemas=True,
    schema_names=True,
    tiers=("auto", "default", "flex", "priority"),
    fields=(frozenset(FIELDS) - {"top_k"}) | {"reasoning_effort"},
    choices=3,
    citations=("stretch",),
    logprobs=True,
    top_logprobs=True,
    token_bytes=True,
    refusal_logprobs=True,
    pictures=True,
    sound=True,
    safety=(_REFUSED, _RATED, _FILTERED),
    stops=("stop", "length", "content_filter"),
    served=("default", "flex", "priority"),
    usage=frozenset(
        {"cached_read_tokens", "cached_write_tokens", "reasoning_tokens", "audio_prompt_tokens"}
        | {"audio_completion_tokens"}
    ),
)
OPENAI_RESPONSES = Features(
    dialect="openai.responses",
    opening=("system", "developer"),
    data_images=True,
    url_images=True,
    details=("low", "high", "auto"),
    audio=("audio/wav", "audio/mpeg"),
    documents=("application/pdf", "text/plain"),
    document_names=True,
    files=True,
    caches=(None, "30m", "12h"),
    refusals=True,
    strict=True,
    custom_tools=True,
    allowed_tools=True,
    result_images=True,
    schemas=True,
    schema_names=True,
    cited_turns=("stretch",),
    tiers=("auto", "default", "flex", "priority"),
    fields=frozenset(
        {"max_tokens", "temperature", "top_p", "logprobs", "top_logprobs", "verbosity", "user", "metadata"}
        | {"store", "cache_key", "parallel_tool_calls", "reasoning_effort"}
    ),
    citations=("stretch",),
    logprobs=True,
    top_logprobs=True,
    token_bytes=True,
    pictures=True,
    stops=("stop", "length", "content_filter"),
    served=("default", "flex", "priority"),
    usage=frozenset({"cached_read_tokens", "cached_write_tokens", "reasoning_tokens"}),
)
ANTHROPIC_MESSAGES = Features(
    dialect="anthropic.messages",
    data_images=True,
    url_images=True,
    documents=("application/pdf",),
    document_names=True,
    text_documents=True,
    document_notes=True,
    files=True,
    caches=(None, "5m", "1h"),
    cached=frozenset({"assistant", "tools", "results"}),
    thinking=True,
    encrypted=True,
    result_errors=True,
    result_images=True,
    strict=True,
    schemas=True,
    cited_turns=("place",),
    tiers=("auto", "default"),
    fields=frozenset(
        {"max_tokens", "temperature", "top_p", "top_k", "stop", "user", "parallel_tool_calls"}
        | {"reasoning_effort", "reasoning_budget"}
    ),
    citations=("address", "place"),
    safety=(_REFUSED,),
    stops=("stop", "length", "context", "refusal", "pause", "stop_sequence"),
    sequences=True,
    served=("default", "priority"),
    usage=frozenset({"cached_read_tokens", "cached_write_tokens", "reasoning_tokens"}),
)
GEMINI_GENERATE = Features(
    dialect="gemini.generate",
    data_images=True,
    details=("low", "high"),
    audio=("audio/wav", "audio/mpeg"),
    video=("video/mp4",),
    documents=("application/pdf", "text/plain"),
    thinking=True,
    allowed_tools=True,
    result_names=True,
    result_errors=True,
    result_images=True,
    schemas=True,
    tiers=("default", "flex", "priority"),
    fields=frozenset(
        {"max_tokens", "temperature", "top_p", "top_k", "stop", "seed", "n", "presence_penalty"}
        | {"frequency_penalty", "logprobs", "top_logprobs", "metadata", "store", "reasoning_budget"}
    ),
    choices=2,
    citations=("stretch",),
    logprobs=True,
    top_logprobs=True,
    pictures=True,
    safety=(_RATED,),
    stops=("stop", "length", "content_filter", "pause"),
    usage=frozenset({"cached_read_tokens", "reasoning_tokens", "audio_prompt_tokens"}),
)
SAYS: Mapping[Dialect, Features] = {
    said.dialect: said for said in (OPENAI_CHAT, OPENAI_RESPONSES, ANTHROPIC_MESSAGES, GEMINI_GENERATE)
}


def both(one: Features, other: Features) -> Features:
    """What both can say, in the dialect of the first."""
    common: dict[str, Any] = {}
    for field in fields(Features):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if isinstance(first, bool):
            common[field.name] = first and second
        elif isinstance(first, int):
            common[field.name] = min(first, second)
        elif isinstance(first, frozenset):
            common[field.name] = first & second
        elif isinstance(first, tuple):
            common[field.name] = tuple(value for value in cast("tuple[Any, ...]", first) if value in second)
    return replace(one, **common)
