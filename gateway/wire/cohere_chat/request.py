"""Requests to Cohere's chat. https://docs.cohere.com/v2/reference/chat."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from gateway.wire.canonical import ChatRequest, Foreign, Reasoning, ResponseFormat, Tool
from gateway.wire.codec import Losses
from gateway.wire.cohere_chat.messages import Messages
from gateway.wire.effort import budget_of
from gateway.wire.function_tool import function_tool
from gateway.wire.unsaid import note_unsaid

OWN: Final = frozenset(
    {"citation_options", "documents", "priority", "safety_mode", "strict_tools", "thinking"}
)
"""Cohere's own parameters, passed on when a client adds them to its request."""

_BOUNDED: Final = frozenset({"minimal", "low", "medium"})
"""Efforts that become a budget; for more than these, how much to think is left to the model."""


def encode_request(request: ChatRequest, model: str, losses: Losses) -> bytes:
    """Write a request; what Cohere has no word for is told to `losses`."""
    note_unsaid(request, losses, says=OWN)
    messages = Messages(losses)
    body: dict[str, Any] = {"model": model, "messages": messages.encode(request.messages)}
    if request.stream:
        body["stream"] = True
    if messages.documents:
        body["documents"] = messages.documents
        if not messages.cites:  # it is Cohere's default to cite
            body["citation_options"] = {"mode": "OFF"}
    body |= _tools(request, losses)
    same = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "p": request.top_p,
        "k": request.top_k,
        "stop_sequences": request.stop or None,
        "seed": request.seed,
        "presence_penalty": request.presence_penalty or None,
        "frequency_penalty": request.frequency_penalty or None,
        "logprobs": request.logprobs or None,
        "response_format": _response_format(request.response_format),
        "thinking": _thinking(request.reasoning),
    }
    body |= {name: value for name, value in same.items() if value is not None}
    own = {name: value for name, value in request.extra.items() if name in OWN and value is not None}
    if isinstance(own.get("documents"), list):  # those of the messages come first: citations count on it
        own["documents"] = [*messages.documents, *own["documents"]]
    return msgspec.json.encode(body | own)


def _tools(request: ChatRequest, losses: Losses) -> dict[str, Any]:
    """Write tools and tool choice; a choice among some of the tools is made by sending only those."""
    choice = request.tool_choice
    functions = list(_functions(request.tools, losses))
    if choice and choice.names:
        functions = [tool for tool in functions if tool.name in choice.names]
    if not functions:
        return {}
    body: dict[str, Any] = {"tools": [function_tool(tool, losses) for tool in functions]}
    strict = [tool.strict is True for tool in functions]
    if all(strict):
        body["strict_tools"] = True
    elif any(strict):  # Cohere knows it for all tools together only
        losses.cannot("tools.strict")
    if choice and choice.mode != "auto":
        body["tool_choice"] = choice.mode.upper()
    return body


def _functions(tools: tuple[Tool | Foreign, ...], losses: Losses) -> list[Tool]:
    functions: list[Tool] = []
    for tool in tools:
        if isinstance(tool, Foreign):
            losses.cannot(f"tools.{tool.type}")
        elif tool.custom:
            losses.cannot("tools.custom")
        else:
            functions.append(tool)
    return functions


def _response_format(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    shape: dict[str, Any] = {"type": "json_object"}
    if wanted.type == "json_schema" and wanted.schema is not None:
        schema = wanted.schema
        if wanted.description and isinstance(schema, dict):
            schema = {"description": wanted.description, **cast("dict[str, Any]", schema)}
        shape["json_schema"] = schema
    return shape


def _thinking(wanted: Reasoning | None) -> dict[str, Any] | None:
    """Turn effort into a budget of tokens, the way Cohere says it."""
    if wanted is None or (wanted.effort is None and wanted.budget is None):
        return None
    if wanted.effort == "none" or wanted.budget == 0:
        return {"type": "disabled"}
    effort = wanted.effort or ""
    budget = wanted.budget
    if budget is None and effort in _BOUNDED:
        budget = budget_of(effort)
    if budget is None or budget < 0:
        return {"type": "enabled"}
    return {"type": "enabled", "token_budget": budget}
