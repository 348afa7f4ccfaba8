"""Usage as the Responses API tells it."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.types import Usage
from gateway.wire.body import UNREADABLE


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


class Tools(Struct, frozen=True):
    """How often OpenAI's own tools were used that cost by the call."""

    searches: int = 0
    file_searches: int = 0
    containers: int = 0


NO_TOOLS: Final = Tools()


class _Item(Struct):
    type: str = ""
    container_id: str | None = None
    action: Any = None


_decode: Final = msgspec.json.Decoder(list[_Item]).decode


def tools_of(output: bytes) -> Tools:
    """Count what the items of a response say; reading a page that was found costs nothing."""
    if b"_call" not in output:
        return NO_TOOLS
    try:
        items = _decode(output)
    except UNREADABLE:
        return NO_TOOLS
    kinds = [item.type for item in items if item.type != "web_search_call" or _is_search(item.action)]
    containers = {item.container_id for item in items if item.type == "code_interpreter_call"}
    return Tools(kinds.count("web_search_call"), kinds.count("file_search_call"), len(containers))


def _is_search(action: Any) -> bool:
    return not isinstance(action, dict) or cast("dict[str, Any]", action).get("type", "search") == "search"


def read_usage(fields: UsageFields | None, tools: Tools = NO_TOOLS) -> Usage | None:
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
        searches=tools.searches,
        file_searches=tools.file_searches,
        containers=tools.containers,
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
