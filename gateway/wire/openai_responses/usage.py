"""Usage as the Responses API tells it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.types import Usage


class _Details(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class UsageFields(Struct):
    """The object `usage`."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


def read_usage(fields: UsageFields | None) -> Usage | None:
    """Read usage; None when the provider did not say."""
    if fields is None or fields.input_tokens is None:
        return None
    given, made = fields.input_tokens_details, fields.output_tokens_details
    return Usage(
        prompt_tokens=fields.input_tokens,
        completion_tokens=fields.output_tokens or 0,
        cached_read_tokens=(given.cached_tokens or 0) if given else 0,
        cached_write_tokens=(given.cache_write_tokens or 0) if given else 0,
        reasoning_tokens=(made.reasoning_tokens or 0) if made else 0,
    )


def write_usage(usage: Usage | None) -> dict[str, Any] | None:
    """Write usage, with the details that the API always has."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_read_tokens,
            "cache_write_tokens": usage.cached_write_tokens,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
