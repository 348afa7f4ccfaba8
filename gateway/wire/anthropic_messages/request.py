"""Reads a client's request for Anthropic's Messages API. https://platform.claude.com/docs/en/api/messages/create."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire.anthropic_messages.blocks import Block, CacheControl, cache_hint, parts, shaped
from gateway.wire.anthropic_messages.seals import DIALECT
from gateway.wire.body import read_request
from gateway.wire.canonical import (
    ChatRequest,
    Foreign,
    Message,
    Part,
    Reasoning,
    ResponseFormat,
    Role,
    Tool,
    ToolChoice,
    ToolResult,
)


class _Message(Struct):
    role: str
    content: str | list[Block]


class _ToolChoice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _Format(Struct):
    type: str
    schema: Any = None


class _Output(Struct):
    effort: str | None = None
    format: _Format | None = None


class _Metadata(Struct):
    user_id: str | None = None


class _Request(Struct):
    messages: list[_Message]
    max_tokens: int | None = None
    system: str | list[Block] | None = None
    tools: list[Block] | None = None
    tool_choice: _ToolChoice | None = None
    thinking: _Thinking | None = None
    output_config: _Output | None = None
    output_format: _Format | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: _Metadata | None = None
    service_tier: str | None = None


class _Tool(Struct):
    name: str
    input_schema: Any = None
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None


_FIELDS: Final = frozenset(_Request.__struct_fields__) | {"model", "stream"}
_TOOL: Final = frozenset(_Tool.__struct_fields__) | {"type"}
_TOOL_HINTS: Final = frozenset({"eager_input_streaming", "defer_loading"})
"""How Anthropic is to go about with a tool; without effect on what the tool is."""
_decode = msgspec.json.Decoder(_Request).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode


def decode_request(body: bytes, *, model: str, stream: bool) -> ChatRequest:
    """Read a request. Raises `InvalidRequest` naming the field at fault."""
    request = read_request(_decode, body)
    fields = read_request(_decode_fields, body)
    choice = request.tool_choice
    output = request.output_config or _Output()
    return ChatRequest(
        dialect=DIALECT,
        model=model,
        messages=_messages(request),
        stream=stream,
        tools=tuple(_tool(tool, f"tools.{number}") for number, tool in enumerate(request.tools or ())),
        tool_choice=_choice(choice) if choice else None,
        parallel_tool_calls=False if choice and choice.disable_parallel_tool_use else None,
        response_format=_format(output.format or request.output_format),
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=tuple(request.stop_sequences or ()),
        reasoning=_reasoning(request.thinking, output.effort),
        user=request.metadata.user_id if request.metadata else None,
        service_tier="default" if request.service_tier == "standard_only" else request.service_tier,
        extra=_extra(fields),
    )


def _messages(request: _Request) -> tuple[Message, ...]:
    messages: list[Message] = []
    if request.system:
        messages.append(Message(role="system", parts=parts(request.system, "system")))
    for number, message in enumerate(request.messages):
        where = f"messages.{number}"
        match message.role:
            case "user":
                messages += _user(parts(message.content, f"{where}.content"))
            case "assistant" | "system":
                role: Role = message.role
                messages.append(Message(role=role, parts=parts(message.content, f"{where}.content")))
            case _:
                raise InvalidRequest(
                    f"{where}.role: must be 'user', 'assistant' or 'system', not '{message.role}'.",
                    param=f"{where}.role",
                )
    return tuple(messages)


def _user(given: Sequence[Part]) -> list[Message]:
    """Part the results of tools from the user's own words; the order stays."""
    groups: list[tuple[Role, list[Part]]] = []
    for part in given:
        role: Role = "tool" if isinstance(part, ToolResult) else "user"
        if not groups or groups[-1][0] != role:
            groups.append((role, []))
        groups[-1][1].append(part)
    return [Message(role=role, parts=tuple(group)) for role, group in groups or [("user", [])]]


def _tool(fields: Block, where: str) -> Tool | Foreign:
    kind = fields.get("type")
    if kind not in {None, "custom"}:
        return Foreign(dialect=DIALECT, type=str(kind), value=fields)
    tool = shaped(fields, _Tool, where)
    for name, value in fields.items():
        if name not in _TOOL | _TOOL_HINTS and value and not _means_direct(name, value):
            return Foreign(dialect=DIALECT, type=name, value=fields)
    return Tool(
        name=tool.name,
        description=tool.description,
        parameters=tool.input_schema,
        strict=tool.strict,
        cache=cache_hint(tool.cache_control),
    )


def _means_direct(name: str, value: Any) -> bool:
    """Whether a tool's list of callers has the model itself in it, as every tool of other dialects does."""
    return name == "allowed_callers" and isinstance(value, list) and "direct" in cast("list[Any]", value)


def _choice(choice: _ToolChoice) -> ToolChoice:
    match choice.type:
        case "auto":
            return ToolChoice(mode="auto")
        case "none":
            return ToolChoice(mode="none")
        case "any":
            return ToolChoice(mode="required")
        case "tool" if choice.name:
            return ToolChoice(mode="required", names=(choice.name,))
        case "tool":
            raise InvalidRequest("tool_choice.name: Field required.", param="tool_choice.name")
        case _:
            raise InvalidRequest(
                f"tool_choice.type: must be 'auto', 'any', 'tool' or 'none', not '{choice.type}'.",
                param="tool_choice.type",
            )


def _format(given: _Format | None) -> ResponseFormat | None:
    if given is None:
        return None
    if given.type != "json_schema":
        raise InvalidRequest(
            f"output_config.format.type: must be 'json_schema', not '{given.type}'.",
            param="output_config.format.type",
        )
    return ResponseFormat(type="json_schema", schema=given.schema)


def _reasoning(thinking: _Thinking | None, effort: str | None) -> Reasoning | None:
    """Read both settings; `between_tools` turns off what can be turned off, as `disabled` does where all of it can."""
    if thinking is None:
        return Reasoning(effort=effort) if effort else None
    shown = {"summarized": "auto", "omitted": "none"}.get(thinking.display or "")
    match thinking.type:
        case "enabled":
            if thinking.budget_tokens is None:
                raise InvalidRequest(
                    "thinking.budget_tokens: Field required.", param="thinking.budget_tokens"
                )
            return Reasoning(effort=effort, budget=thinking.budget_tokens, summary=shown)
        case "adaptive":
            return Reasoning(effort=effort, budget=-1, summary=shown)
        case "disabled" | "between_tools":
            return Reasoning(effort=effort, budget=0)
        case _:
            raise InvalidRequest(
                f"thinking.type: must be 'adaptive', 'enabled', 'disabled' or 'between_tools', not '{thinking.type}'.",
                param="thinking.type",
            )


def _extra(fields: dict[str, Any]) -> dict[str, Any]:
    extra = {name: value for name, value in fields.items() if name not in _FIELDS and value is not None}
    if _forgets_thoughts_only(extra.get("context_management")):
        del extra["context_management"]
    return extra


def _forgets_thoughts_only(management: Any) -> bool:
    """Whether it only tells what becomes of earlier thoughts, which no other provider is sent anyway."""
    edits = cast("dict[str, Any]", management).get("edits") if isinstance(management, dict) else None
    if not isinstance(edits, list):
        return False
    kinds = [
        cast("dict[str, Any]", edit).get("type") if isinstance(edit, dict) else None
        for edit in cast("list[Any]", edits)
    ]
    return all(isinstance(kind, str) and kind.startswith("clear_thinking") for kind in kinds)
