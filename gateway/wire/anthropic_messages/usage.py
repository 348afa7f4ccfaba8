"""Anthropic's counts of tokens, whose `input_tokens` leave out what lies in a cache.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from gateway.types import Usage


class _OutputDetails(Struct):
    thinking_tokens: int | None = None


class _ServerTools(Struct):
    web_search_requests: int | None = None


_TIERS: Final = {"standard": "default", "priority": "priority", "batch": "batch"}
"""Anthropic's words for the tier that served, and OpenAI's, which are the form's."""
_RAW_TIERS: Final = {tier: raw for raw, tier in _TIERS.items()}


class RawUsage(Struct):
    """The fields of `usage` that are counted; in a stream a later one may leave out what did not change."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerTools | None = None
    service_tier: str | None = None


def usage(raw: RawUsage) -> Usage:
    """Count as the gateway does: the prompt includes what was read from a cache, and what was written to it."""
    written, read = raw.cache_creation_input_tokens or 0, raw.cache_read_input_tokens or 0
    details, tools = raw.output_tokens_details, raw.server_tool_use
    return Usage(
        prompt_tokens=(raw.input_tokens or 0) + written + read,
        completion_tokens=raw.output_tokens or 0,
        cached_read_tokens=read,
        cached_write_tokens=written,
        reasoning_tokens=(details.thinking_tokens or 0) if details else 0,
        searches=(tools.web_search_requests or 0) if tools else 0,
    )


def merged(first: RawUsage | None, later: RawUsage | None) -> RawUsage:
    """Take what a later event of a stream says, and what an earlier one said of the rest."""
    if first is None or later is None:
        return later or first or RawUsage()
    fields = (
        "input_tokens",
        "output_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens_details",
        "server_tool_use",
        "service_tier",
    )
    values: dict[str, Any] = {}
    for field in fields:
        value = getattr(later, field)
        values[field] = getattr(first, field) if value is None else value
    return RawUsage(**values)


def tier(raw: RawUsage | None) -> str | None:
    """Read which service tier served."""
    return _TIERS.get(raw.service_tier, raw.service_tier) if raw is not None and raw.service_tier else None


def raw_usage(usage: Usage, tier: str | None = None) -> dict[str, Any]:
    """Write usage for a client, and which service tier served where Anthropic has a word for it."""
    fields: dict[str, Any] = {
        "input_tokens": max(0, usage.prompt_tokens - usage.cached_read_tokens - usage.cached_write_tokens),
        "cache_creation_input_tokens": usage.cached_write_tokens,
        "cache_read_input_tokens": usage.cached_read_tokens,
        "output_tokens": usage.completion_tokens,
    }
    if usage.reasoning_tokens:
        fields["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.searches:
        fields["server_tool_use"] = {"web_search_requests": usage.searches, "web_fetch_requests": 0}
    if tier in _RAW_TIERS:
        fields["service_tier"] = _RAW_TIERS[tier]
    return fields
