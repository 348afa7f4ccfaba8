"""A request in the canonical form, as a chat completion request for a provider.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.wire.built_in import SEARCH_OPTIONS, search_options
from gateway.wire.cache_hints import OPENAI, OPTIONS, Mark, controlled, marked
from gateway.wire.canonical import ChatRequest, Foreign, ResponseFormat, Tool, ToolChoice
from gateway.wire.codec import Losses
from gateway.wire.effort import effort_of
from gateway.wire.openai_chat.compose_messages import MessagesWriter
from gateway.wire.openai_chat.words import DIALECT

_SEARCHES: Final = "-search-"
"""In the names of the models with which OpenAI's chat completions search: `gpt-5-search-api`, `gpt-4o-search-preview`."""


def own_mark(request: ChatRequest) -> Mark | None:
    """Return how hints for caching go to OpenAI itself: only its own clients mean its breakpoints."""
    return marked if request.dialect in OPENAI else None


def encode_request(request: ChatRequest, model: str, losses: Losses, mark: Mark | None) -> bytes:
    """Write a request with OpenAI's own, newest words: `max_completion_tokens`, and the role `developer`.

    `mark` writes hints for caching; None where the service takes none.
    """
    searches, options = _search(request, model, losses)
    tools = [
        written
        for tool in request.tools
        if tool is not searches and (written := _tool(tool, losses)) is not None
    ]
    fields: dict[str, Any] = {
        "model": model,
        "messages": MessagesWriter(losses, mark=mark).write(request.messages),
        "stream": True if request.stream else None,
        "stream_options": {"include_usage": True} if request.stream else None,
        "tools": tools or None,
        "tool_choice": _choice(request.tool_choice, request) if tools else None,
        "parallel_tool_calls": request.parallel_tool_calls if tools else None,
        "response_format": _format(request.response_format),
        "max_completion_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop) or None,
        "seed": request.seed,
        "n": request.n,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "logit_bias": _whole_numbers(request),
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs,
        "reasoning_effort": _effort(request),
        "verbosity": request.verbosity,
        "user": request.user,
        "metadata": request.metadata,
        "service_tier": request.service_tier,
        "store": request.store,
        "prompt_cache_key": request.cache_key,
        "modalities": list(request.modalities) or None,
        "audio": _audio(request),
        SEARCH_OPTIONS: options,
        **_extra(request, losses, mark),
    }
    if request.top_k is not None:
        losses.cannot("top_k")
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not None})


def _search(request: ChatRequest, model: str, losses: Losses) -> tuple[Foreign | None, dict[str, Any] | None]:
    """Find the search that is asked for by a field, and what the field says."""
    searches = _SEARCHES in model
    for tool in request.tools:
        if not isinstance(tool, Foreign):
            continue
        if tool.dialect == DIALECT and tool.type == SEARCH_OPTIONS:
            return tool, tool.value
        if searches and tool.dialect != DIALECT:
            options = search_options(tool, losses)
            if options is not None:
                return tool, options
    return None, None


def _extra(request: ChatRequest, losses: Losses, mark: Mark | None) -> dict[str, Any]:
    if request.dialect == DIALECT:
        return dict(request.extra)
    kept: dict[str, Any] = {}
    for name, value in request.extra.items():
        if (name in OPTIONS and request.dialect in OPENAI) or (
            name == "cache_control" and mark is controlled
        ):
            kept[name] = value
        elif value is not None:
            losses.cannot(name)
    return kept


def _effort(request: ChatRequest) -> str | None:
    """Say how much to think; whether thoughts are shown is the service's own choice, so `summary` asks for nothing here."""
    reasoning = request.reasoning
    if reasoning is None:
        return None
    if reasoning.effort is None and reasoning.budget is not None:
        return effort_of(reasoning.budget)
    return reasoning.effort


def _tool(tool: Tool | Foreign, losses: Losses) -> dict[str, Any] | None:
    if isinstance(tool, Foreign):
        if tool.dialect == DIALECT:
            return tool.value
        losses.cannot(f"tools.{tool.type}")
        return None
    if tool.cache is not None:
        losses.cannot("cache_control")
    if tool.custom:
        custom = {"name": tool.name, "description": tool.description, "format": tool.format}
        return {"type": "custom", "custom": _said(custom)}
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    return {"type": "function", "function": _said(function)}


def _choice(choice: ToolChoice | None, request: ChatRequest) -> Any:
    if choice is None or not choice.names:
        return None if choice is None else choice.mode
    custom = {tool.name for tool in request.tools if isinstance(tool, Tool) and tool.custom}
    named: list[dict[str, Any]] = []
    for name in choice.names:
        kind = "custom" if name in custom else "function"
        named.append({"type": kind, kind: {"name": name}})
    if choice.mode == "required" and len(named) == 1:
        return named[0]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": named}}


def _format(shape: ResponseFormat | None) -> dict[str, Any] | None:
    if shape is None or shape.type != "json_schema":
        return None if shape is None else {"type": shape.type}
    schema = {
        "name": shape.name or "answer",
        "description": shape.description,
        "schema": shape.schema,
        "strict": shape.strict,
    }
    return {"type": "json_schema", "json_schema": _said(schema)}


def _whole_numbers(request: ChatRequest) -> dict[str, int | float] | None:
    """Write biases as integers where they are: some services take nothing else."""
    if request.logit_bias is None:
        return None
    return {
        token: int(bias) if float(bias).is_integer() else bias for token, bias in request.logit_bias.items()
    }


def _audio(request: ChatRequest) -> dict[str, Any] | None:
    audio = request.audio
    return None if audio is None else _said({"voice": audio.voice, "format": audio.format})


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
