"""Writes a request for Anthropic's Messages API. https://platform.claude.com/docs/en/api/messages/create.

What OpenAI's clients say otherwise goes the way that Anthropic documents for its own compatibility with them:
https://platform.claude.com/docs/en/api/openai-sdk
"""

from __future__ import annotations

from typing import Any, Final

from gateway.wire.anthropic_messages import models
from gateway.wire.anthropic_messages.content import blocks
from gateway.wire.anthropic_messages.seals import DIALECT
from gateway.wire.anthropic_messages.thinking import calls_unthought, effort_field, thinking_field
from gateway.wire.built_in import written
from gateway.wire.cache_hints import control
from gateway.wire.canonical import ChatRequest, Foreign, Tool
from gateway.wire.closed_schema import closed
from gateway.wire.codec import Losses

_NO_SCHEMA: Final[dict[str, Any]] = {"type": "object", "properties": {}}
_SYSTEM: Final = frozenset({"system", "developer"})
_TIERS: Final = {"auto": "auto", "default": "standard_only"}
_UNSPEAKABLE: Final = (
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "verbosity",
    "metadata",
    "store",
    "cache_key",
    "audio",
)
"""What Anthropic cannot be told; zero, false and empty are what it does anyway."""


def request_fields(request: ChatRequest, name: str, losses: Losses) -> dict[str, Any]:
    """Write all but what says how the answer is to come: what both a message and a count of its tokens need."""
    model = models.model(name)
    system, messages = _conversation(request, model, losses)
    fields: dict[str, Any] = {"model": name, "messages": messages}
    if system:
        plain = len(system) == 1 and system[0].keys() == {"type", "text"}
        fields["system"] = system[0]["text"] if plain else system
    if request.tools:
        fields["tools"] = _tools(request, losses)
    choice = _tool_choice(request, losses)
    if choice:
        fields["tool_choice"] = choice
    return fields


def encode_request(request: ChatRequest, name: str, losses: Losses) -> dict[str, Any]:
    """Write a request."""
    model = models.model(name)
    fields = request_fields(request, name, losses)
    fields["max_tokens"] = model.max_tokens if request.max_tokens is None else request.max_tokens
    if request.stream:
        fields["stream"] = True
    if request.stop:
        fields["stop_sequences"] = list(request.stop)
    _sampling(request, model, fields, losses)
    _output(request, model, fields, losses)
    _account(request, fields, losses)
    _rest(request, fields, losses)
    return fields


def _output(request: ChatRequest, model: models.Model, fields: dict[str, Any], losses: Losses) -> None:
    """Write how the model is to think, and the shape of what it says."""
    output: dict[str, Any] = {}
    own = request.dialect == DIALECT
    if request.reasoning is not None:
        effort = effort_field(request.reasoning, model, own=own)
        if effort:
            output["effort"] = effort
        thinking = thinking_field(request.reasoning, model, fields["max_tokens"], losses, own=own)
        if thinking and not own and thinking["type"] == "enabled" and calls_unthought(fields["messages"]):
            losses.cannot("thinking")
        elif thinking:
            fields["thinking"] = thinking
    shape = request.response_format
    if shape is not None and shape.type == "json_schema":
        output["format"] = {"type": "json_schema", "schema": shape.schema if own else closed(shape.schema)}
    elif shape is not None and shape.type == "json_object":
        losses.cannot("response_format")
    if output:
        fields["output_config"] = output


def _account(request: ChatRequest, fields: dict[str, Any], losses: Losses) -> None:
    """Write for whom the request is, and with what urgency."""
    if request.user:
        fields["metadata"] = {"user_id": request.user}
    if request.service_tier is not None:
        tier = _TIERS.get(request.service_tier)
        if tier:
            fields["service_tier"] = tier
        else:
            losses.cannot("service_tier")


def _conversation(
    request: ChatRequest, model: models.Model, losses: Losses
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write the system prompt, and the turns."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for position, message in enumerate(request.messages):
        if message.name:
            losses.cannot("messages.name")
        content = blocks(message.parts, losses)
        if message.role in _SYSTEM:
            content = _words_only(content, losses)
            if turns and _may_stay(request, position, model):
                turns.append({"role": "system", "content": content})
            else:
                system += content
        elif not content:
            continue
        elif message.role == "assistant":
            turns.append({"role": "assistant", "content": content})
        elif _joins(request, position) and turns:
            turns[-1]["content"] += content
        else:
            turns.append({"role": "user", "content": content})
    for turn in turns:
        content = turn["content"]
        if len(content) == 1 and content[0].keys() == {"type", "text"}:
            turn["content"] = content[0]["text"]
    return system, turns


def _joins(request: ChatRequest, position: int) -> bool:
    """Whether a message of the user stands in one turn with the results of tools before it."""
    return request.messages[position].role == "user" and (
        position > 0 and request.messages[position - 1].role == "tool"
    )


def _may_stay(request: ChatRequest, position: int, model: models.Model) -> bool:
    """Whether instructions may stand where they are in the conversation: right after a turn of the user.

    https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
    """
    if request.dialect == DIALECT:
        return True
    after = request.messages[position + 1].role if position + 1 < len(request.messages) else "assistant"
    before = request.messages[position - 1].role
    return model.system_turns and before in {"user", "tool"} and after == "assistant"


def _words_only(content: list[dict[str, Any]], losses: Losses) -> list[dict[str, Any]]:
    for block in content:
        if block["type"] != "text":
            losses.cannot(f"messages.{block['type']}")
    return [block for block in content if block["type"] == "text"]


def _tools(request: ChatRequest, losses: Losses) -> list[dict[str, Any]]:
    tools: list[dict[str, Any]] = []
    for tool in request.tools:
        if isinstance(tool, Foreign):
            own = written(tool, DIALECT, losses)
            tools += [own] if own else []
        elif tool.custom:
            losses.cannot("tools.custom")
        else:
            tools.append(_tool(tool))
    return tools


def _tool(tool: Tool) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": tool.name}
    if tool.description:
        fields["description"] = tool.description
    fields["input_schema"] = _NO_SCHEMA if tool.parameters is None else tool.parameters
    if tool.strict:
        fields["strict"] = True
    if tool.cache:
        fields["cache_control"] = control(tool.cache)
    return fields


def _tool_choice(request: ChatRequest, losses: Losses) -> dict[str, Any] | None:
    choice = request.tool_choice
    one_by_one = request.parallel_tool_calls is False and bool(request.tools)
    if choice is None:
        return {"type": "auto", "disable_parallel_tool_use": True} if one_by_one else None
    fields: dict[str, Any]
    if choice.mode == "none":
        return {"type": "none"}
    if choice.mode == "required" and len(choice.names) == 1:
        fields = {"type": "tool", "name": choice.names[0]}
    else:
        if choice.names:
            losses.cannot("tool_choice")
        fields = {"type": "auto" if choice.mode == "auto" else "any"}
    if one_by_one:
        fields["disable_parallel_tool_use"] = True
    return fields


def _sampling(request: ChatRequest, model: models.Model, fields: dict[str, Any], losses: Losses) -> None:
    """Write what newer models refuse unless it is their default. A temperature goes up to 1 only, as Anthropic caps it."""
    given = {
        "temperature": None if request.temperature is None else min(request.temperature, 1.0),
        "top_p": request.top_p,
        "top_k": request.top_k,
    }
    for field, value in given.items():
        if value is None:
            continue
        if model.samples:
            fields[field] = value
        elif field == "top_k" or value != 1:
            losses.cannot(field)


def _rest(request: ChatRequest, fields: dict[str, Any], losses: Losses) -> None:
    """Note what cannot be said, and add what only Anthropic's own clients say."""
    for field in _UNSPEAKABLE:
        if getattr(request, field):
            losses.cannot(field)
    if request.n not in {None, 1}:
        losses.cannot("n")
    if any(kind != "text" for kind in request.modalities):
        losses.cannot("modalities")
    if request.dialect == DIALECT:
        fields.update(request.extra)
    else:
        for name in request.extra:
            losses.cannot(name)
