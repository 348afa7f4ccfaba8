"""Requests: from the canonical form to the body for a provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.wire.built_in import lost_name, written
from gateway.wire.cache_hints import OPENAI, OPTIONS
from gateway.wire.canonical import (
    ChatRequest,
    Foreign,
    Message,
    Reasoning,
    Refusal,
    ResponseFormat,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from gateway.wire.codec import Losses
from gateway.wire.openai_responses.content import encode_part, write_citation
from gateway.wire.openai_responses.request import ENCRYPTED, LOGPROBS
from gateway.wire.openai_responses.sealed import DIALECT, seal


def encode_request(request: ChatRequest, model: str, losses: Losses) -> bytes:
    """Write a request; nothing of it is kept by the provider unless the client asked for that."""
    ours = request.dialect == DIALECT
    caches = request.dialect in OPENAI
    instructions, messages = _instructions(request.messages)
    fields: dict[str, Any] = {
        "model": model,
        "instructions": instructions,
        "input": [item for message in messages for item in _items(message, losses, caches=caches)],
        "stream": request.stream or None,
        "store": bool(request.store),
        "tools": [_tool(tool, losses) for tool in request.tools] or None,
        "tool_choice": _tool_choice(request.tool_choice, request.tools),
        "parallel_tool_calls": request.parallel_tool_calls,
        "text": _text(request.response_format, request.verbosity),
        "reasoning": _reasoning(request.reasoning),
        "include": _include(request),
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_logprobs": request.top_logprobs if request.logprobs else None,
        "safety_identifier": request.user,
        "metadata": request.metadata,
        "prompt_cache_key": request.cache_key,
        "service_tier": request.service_tier,
    }
    _refuse(request, losses)
    for name, value in request.extra.items():
        if name in OPTIONS and caches:
            fields[name] = value
        elif not ours:
            losses.cannot(name)
        elif name == "include":
            fields["include"] = [*(fields["include"] or ()), *value]
        elif name.startswith("reasoning."):
            fields["reasoning"] = {**(fields["reasoning"] or {}), name.partition(".")[2]: value}
        else:
            fields[name] = value
    return msgspec.json.encode(
        {name: value for name, value in fields.items() if value is not None and name != "tools"}
        | ({"tools": [tool for tool in fields["tools"] if tool]} if fields["tools"] else {})
    )


def _refuse(request: ChatRequest, losses: Losses) -> None:
    for name in ("top_k", "seed"):
        if getattr(request, name) is not None:
            losses.cannot(name)
    for name in ("n", "presence_penalty", "frequency_penalty"):
        if getattr(request, name) not in (None, 1 if name == "n" else 0):
            losses.cannot(name)
    if request.stop:
        losses.cannot("stop")
    if request.logit_bias:
        losses.cannot("logit_bias")
    if set(request.modalities) - {"text"}:
        losses.cannot("modalities")
    if request.audio is not None:
        losses.cannot("audio")


def _instructions(messages: tuple[Message, ...]) -> tuple[str | None, tuple[Message, ...]]:
    """Take the opening words of the system apart, where they are plain text."""
    if messages and messages[0].role == "system" and messages[0].name is None:
        match messages[0].parts:
            case (Text(text=text, cache=None),) if text:
                return text, messages[1:]
            case _:
                pass
    return None, messages


def _items(message: Message, losses: Losses, *, caches: bool) -> Iterator[dict[str, Any]]:
    if message.name is not None:
        losses.cannot("messages.name")
    if message.role == "assistant":
        yield from _done(message, losses)
        return
    content: list[dict[str, Any]] = []
    for part in message.parts:
        match part:
            case ToolResult():
                yield _result(part, losses, caches=caches)
            case Foreign(dialect=dialect, value=value) if dialect == DIALECT:
                yield value
            case Foreign():
                losses.cannot(lost_name(part))
            case _:
                encoded = encode_part(part, losses, caches=caches)
                content += [encoded] if encoded else []
    if content:
        yield {"type": "message", "role": message.role, "content": content}


def _result(result: ToolResult, losses: Losses, *, caches: bool) -> dict[str, Any]:
    kind = "custom_tool_call_output" if result.custom else "function_call_output"
    output: Any
    match result.content:
        case (Text(text=text, cache=None),):
            output = text
        case parts:
            encoded = [encode_part(part, losses, caches=caches) for part in parts]
            output = [part for part in encoded if part is not None]
    if result.cache is not None:
        losses.cannot("cache_control")
    return {"type": kind, "call_id": result.id, "output": output or ""}


def _done(message: Message, losses: Losses) -> Iterator[dict[str, Any]]:
    """Write what the model did: its words in messages, its thoughts and calls between them."""
    words: list[dict[str, Any]] = []
    for part in message.parts:
        match part:
            case Text():
                notes = [write_citation(citation, len(part.text)) for citation in part.citations]
                words.append({"type": "output_text", "text": part.text, "annotations": notes})
                if part.cache is not None:
                    losses.cannot("cache_control")
                continue
            case Refusal(text=text):
                words.append({"type": "refusal", "refusal": text})
                continue
            case _:
                item = _deed(part, losses)
        if item is not None:
            if words:
                yield {"type": "message", "role": "assistant", "content": words}
                words = []
            yield item
    if words:
        yield {"type": "message", "role": "assistant", "content": words}


def _deed(part: Any, losses: Losses) -> dict[str, Any] | None:
    match part:
        case ToolCall(custom=True):
            return {
                "type": "custom_tool_call",
                "call_id": part.id,
                "name": part.name,
                "input": part.arguments,
            }
        case ToolCall():
            return {
                "type": "function_call",
                "call_id": part.id,
                "name": part.name,
                "arguments": part.arguments,
            }
        case Thinking(origin=origin) if origin == DIALECT:
            return _thought(part, losses)
        case Thinking():
            losses.cannot("thinking")
        case Foreign(dialect=dialect, value=value) if dialect == DIALECT:
            return value
        case Foreign():
            losses.cannot(lost_name(part))
        case _:
            losses.cannot(f"messages.{type(part).__name__.lower()}")
    return None


def _thought(thought: Thinking, losses: Losses) -> dict[str, Any] | None:
    """Write a thought of OpenAI's: without its encrypted form, the provider could only look it up."""
    if thought.encrypted is None:
        losses.cannot("thinking")
        return None
    summary = [{"type": "summary_text", "text": thought.text}] if thought.text else []
    fields: dict[str, Any] = {"type": "reasoning", "summary": summary, "encrypted_content": seal(thought)}
    return {**fields, "id": thought.id} if thought.id else fields


def _tool(tool: Tool | Foreign, losses: Losses) -> dict[str, Any] | None:
    match tool:
        case Foreign():
            return written(tool, DIALECT, losses)
        case Tool(custom=True):
            fields = {
                "type": "custom",
                "name": tool.name,
                "description": tool.description,
                "format": tool.format,
            }
            return {name: value for name, value in fields.items() if value is not None}
        case Tool():
            if tool.cache is not None:
                losses.cannot("cache_control")
            parameters: Any = tool.parameters
            if parameters is None:
                parameters = {"type": "object", "properties": {}}
            fields = {"type": "function", "name": tool.name, "parameters": parameters}
            if tool.description is not None:
                fields["description"] = tool.description
            return {**fields, "strict": bool(tool.strict)}  # left out, it would mean true


def _tool_choice(choice: ToolChoice | None, tools: tuple[Tool | Foreign, ...]) -> Any:
    if choice is None:
        return None
    if not choice.names:
        return choice.mode
    custom = {tool.name for tool in tools if isinstance(tool, Tool) and tool.custom}
    named = [{"type": "custom" if name in custom else "function", "name": name} for name in choice.names]
    if choice.mode == "required" and len(named) == 1:
        return named[0]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": named}


def _text(form: ResponseFormat | None, verbosity: str | None) -> dict[str, Any] | None:
    fields: dict[str, Any] = {}
    if form is not None:
        said = {
            "type": form.type,
            "name": form.name or ("answer" if form.type == "json_schema" else None),
            "description": form.description,
            "schema": form.schema,
            "strict": form.strict,
        }
        fields["format"] = {name: value for name, value in said.items() if value is not None}
    if verbosity is not None:
        fields["verbosity"] = verbosity
    return fields or None


def _reasoning(reasoning: Reasoning | None) -> dict[str, Any] | None:
    if reasoning is None:
        return None
    effort = reasoning.effort
    if effort is None and reasoning.budget is not None:
        effort = _effort(reasoning.budget)
    summary = None if reasoning.summary == "none" else reasoning.summary
    fields = {"effort": effort, "summary": summary}
    return {name: value for name, value in fields.items() if value is not None} or None


def _effort(budget: int) -> str | None:
    """Choose the effort nearest to a budget of tokens."""
    if budget <= 0:
        return "none" if budget == 0 else None
    return next(
        (effort for limit, effort in ((2048, "low"), (8192, "medium")) if budget <= limit),
        "high",
    )


def _include(request: ChatRequest) -> list[str] | None:
    """Ask for logprobs, and for thoughts in the form in which they can be given back."""
    thinks = request.reasoning is not None and request.reasoning.effort != "none"
    include = [*([LOGPROBS] if request.logprobs else []), *([ENCRYPTED] if thinks else [])]
    return include or None
