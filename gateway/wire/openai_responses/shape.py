"""The response object around its output: what a response repeats of its request, its ids, its errors."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any, Final, cast

from gateway.errors import GatewayError
from gateway.wire.canonical import ChatRequest

_TIERS: Final = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
_ECHOED: Final[Mapping[str, Any]] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""The fields of a request that its response repeats, and what stands there when the client did not say."""
_MADE: Final = re.compile(r"[a-z]+_([0-9a-f]{48})[0-9a-f]{4}")
_ERRORS: Final[Mapping[int, str]] = {429: "rate_limit_exceeded", 400: "invalid_prompt", 422: "invalid_prompt"}


class ResponsesRequest(ChatRequest, frozen=True, kw_only=True):
    """A request in the canonical form, with the client's own fields for the response to repeat."""

    given: Mapping[str, Any]


def new_id() -> str:
    """Make an id for a response."""
    return f"resp_{os.urandom(24).hex()}"


def item_id(prefix: str, response_id: str, position: int) -> str:
    """Make the id of an item of a response; no other response has one like it."""
    return f"{prefix}_{response_id.removeprefix('resp_')}{position:04x}"


def response_of(item: str) -> str | None:
    """Return the id of the response that an item with this id is of, where `item_id` has made it; else None."""
    made = _MADE.fullmatch(item)
    return f"resp_{made[1]}" if made else None


def skeleton(request: ChatRequest, response_id: str, model: str, created: int) -> dict[str, Any]:
    """Make a response object that is in progress."""
    given: Mapping[str, Any] = request.given if isinstance(request, ResponsesRequest) else {}
    return begun(given, response_id, model, created, status="in_progress")


def begun(
    given: Mapping[str, Any], response_id: str, model: str, created: int, *, status: str
) -> dict[str, Any]:
    """Make a response object that has no output yet, from the fields of the client's request."""
    reasoning = cast("Mapping[str, Any]", given.get("reasoning") or {})
    echoed = {name: given[name] if given.get(name) is not None else usual for name, usual in _ECHOED.items()}
    return {
        "id": response_id,
        "object": "response",
        "created_at": created or int(time.time()),
        "status": status,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "reasoning": {"effort": None, "summary": None, **reasoning},
        "usage": None,
        **echoed,
    }


def tier_of(said: str | None, usual: str) -> str:
    """Tell the service tier in OpenAI's words; other providers have other words."""
    return said if said in _TIERS else usual


def error_of(error: GatewayError) -> dict[str, Any]:
    """Make the `error` of a response that failed."""
    return {"code": _ERRORS.get(error.status, "server_error"), "message": error.message}
