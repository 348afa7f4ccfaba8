"""Requests to Ollama's chat. https://github.com/ollama/ollama/blob/main/docs/api.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from gateway.errors import InvalidRequest
from gateway.wire.canonical import ChatRequest, Foreign, Reasoning, ResponseFormat
from gateway.wire.codec import Losses
from gateway.wire.effort import effort_of
from gateway.wire.function_tool import function_tool
from gateway.wire.ollama_chat.messages import Messages
from gateway.wire.unsaid import note_unsaid

OWN: Final = frozenset({"keep_alive", "options", "shift", "think", "truncate"})
"""Ollama's own parameters, passed on when a client adds them to its request."""

_EFFORTS: Final[Mapping[str, bool | str]] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}


def encode_request(request: ChatRequest, model: str, losses: Losses) -> bytes:
    """Write a request; what Ollama has no word for is told to `losses`."""
    note_unsaid(request, losses, says={"top_logprobs", *OWN})
    body: dict[str, Any] = {
        "model": model,
        "messages": Messages(losses).encode(request.messages),
        "stream": request.stream,
    }
    same = {
        "tools": _tools(request, losses) or None,
        "format": _format(request.response_format),
        "think": _think(request.reasoning),
        "logprobs": request.logprobs or None,
        "top_logprobs": request.top_logprobs or None,
        "options": _options(request) or None,
    }
    body |= {name: value for name, value in same.items() if value is not None}
    body |= {
        name: value
        for name, value in request.extra.items()
        if name in OWN and name != "options" and value is not None
    }
    return msgspec.json.encode(body)


def _options(request: ChatRequest) -> dict[str, Any]:
    """Write the parameters of the model; those in `options` of the client's own come last, and win."""
    same = {
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "seed": request.seed,
        "stop": request.stop or None,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
    }
    own: Any = request.extra.get("options") or {}
    if not isinstance(own, dict):
        raise InvalidRequest("Invalid 'options': expected an object with Ollama's options.", param="options")
    options = {name: value for name, value in same.items() if value is not None}
    return options | cast("dict[str, Any]", own)


def _tools(request: ChatRequest, losses: Losses) -> list[dict[str, Any]]:
    """Write the tools. Ollama leaves the choice to the model, so only those it may choose are sent."""
    choice = request.tool_choice
    if choice and choice.mode == "required":
        losses.cannot("tool_choice")
    found: list[dict[str, Any]] = []
    for tool in request.tools:
        if isinstance(tool, Foreign):
            losses.cannot(f"tools.{tool.type}")
        elif tool.custom:
            losses.cannot("tools.custom")
        elif choice is None or (choice.mode != "none" and (not choice.names or tool.name in choice.names)):
            found.append(function_tool(tool, losses))
            if tool.strict:
                losses.cannot("tools.strict")
    return found


def _format(wanted: ResponseFormat | None) -> Any:
    if wanted is None or wanted.type == "text":
        return None
    given: Any = wanted.schema
    if wanted.type == "json_object" or not isinstance(given, dict):
        return "json"
    schema = cast("dict[str, Any]", given)
    return {"description": wanted.description, **schema} if wanted.description else schema


def _think(wanted: Reasoning | None) -> bool | str | None:
    """Say how much to think in Ollama's words; a budget becomes the effort that is nearest."""
    if wanted is None or (wanted.effort is None and wanted.budget is None):
        return None
    effort = wanted.effort if wanted.effort is not None else effort_of(wanted.budget or 0)
    return _EFFORTS.get(effort or "", True)
