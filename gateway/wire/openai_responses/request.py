"""Requests: from the client's body to the canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire.body import read_request
from gateway.wire.canonical import Foreign, Message, Reasoning, ResponseFormat, Text, Tool, ToolChoice
from gateway.wire.openai_responses.content import object_of, read_as
from gateway.wire.openai_responses.items import Turns
from gateway.wire.openai_responses.sealed import DIALECT
from gateway.wire.openai_responses.shape import ResponsesRequest

LOGPROBS: Final = "message.output_text.logprobs"
ENCRYPTED: Final = "reasoning.encrypted_content"


class _Format(Struct):
    type: str = "text"
    name: str | None = None
    description: str | None = None
    schema: Any = None
    strict: bool | None = None


class _TextOptions(Struct):
    format: _Format | None = None
    verbosity: str | None = None


class _Function(Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Custom(Struct):
    name: str
    description: str | None = None
    format: Any = None


class _Allowed(Struct):
    mode: str
    tools: list[dict[str, Any]]


class _Fields(Struct):
    """The fields that are read here; what is none of them is kept in `extra`."""

    model: str
    input: Any = None
    instructions: str | list[Any] | None = None
    stream: bool | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    text: _TextOptions | None = None
    reasoning: dict[str, Any] | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    truncation: str | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    background: bool | None = None
    stream_options: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Fields).decode
_KNOWN: Final = frozenset(_Fields.__struct_fields__)


def decode_request(body: bytes, *, model: str, stream: bool) -> ResponsesRequest:
    """Read a client's request. Raises `InvalidRequest` naming the field at fault."""
    fields = read_request(_decode, body)
    given: dict[str, Any] = msgspec.json.decode(body)
    include = set(fields.include or ())
    tools = tuple(_tool(tool, f"tools[{place}]") for place, tool in enumerate(fields.tools or ()))
    choice, other_choice = _tool_choice(fields.tool_choice)
    extra = {name: value for name, value in given.items() if name not in _KNOWN and value is not None}
    extra |= other_choice
    if include - {LOGPROBS, ENCRYPTED}:
        extra["include"] = sorted(include - {LOGPROBS, ENCRYPTED})
    if fields.truncation not in {None, "disabled"}:
        extra["truncation"] = fields.truncation
    if fields.max_tool_calls is not None and any(isinstance(tool, Foreign) for tool in tools):
        extra["max_tool_calls"] = fields.max_tool_calls  # it counts the calls of built-in tools only
    reasoning, other_reasoning = _reasoning(fields.reasoning)
    text = fields.text or _TextOptions()
    return ResponsesRequest(
        dialect=DIALECT,
        given=given,
        model=model,
        stream=stream,
        messages=(*_instructions(fields.instructions), *_input(fields.input, given)),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=fields.parallel_tool_calls,
        response_format=_format(text.format),
        verbosity=text.verbosity,
        reasoning=reasoning,
        max_tokens=fields.max_output_tokens,
        temperature=fields.temperature,
        top_p=fields.top_p,
        logprobs=True if LOGPROBS in include else None,
        top_logprobs=fields.top_logprobs if LOGPROBS in include else None,
        user=fields.safety_identifier or fields.user,
        metadata=fields.metadata or None,
        cache_key=fields.prompt_cache_key,
        service_tier=fields.service_tier,
        store=False if fields.store is False else None,  # the gateway itself stores, whoever answers
        extra=extra | other_reasoning,
    )


def _instructions(instructions: str | list[Any] | None) -> tuple[Message, ...]:
    if isinstance(instructions, list):
        return Turns().read(instructions)
    return (Message(role="system", parts=(Text(text=instructions),)),) if instructions else ()


def _input(items: Any, given: Mapping[str, Any]) -> tuple[Message, ...]:
    if items is None:
        if given.get("prompt") is None:
            raise InvalidRequest(
                "Missing required parameter: 'input'.", param="input", code="missing_required_parameter"
            )
        return ()
    return Turns().read(items)


def _tool(tool: dict[str, Any], where: str) -> Tool | Foreign:
    match tool.get("type"):
        case "function":
            function = read_as(_Function, tool, where)
            return Tool(
                name=function.name,
                description=function.description,
                parameters=function.parameters,
                strict=function.strict,
            )
        case "custom":
            custom = read_as(_Custom, tool, where)
            return Tool(name=custom.name, description=custom.description, custom=True, format=custom.format)
        case str(kind):
            return Foreign(dialect=DIALECT, type=kind, value=tool)
        case _:
            param = f"{where}.type"
            raise InvalidRequest(
                f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
            )


def _tool_choice(choice: Any) -> tuple[ToolChoice | None, dict[str, Any]]:
    """Read `tool_choice`: what the form can say, or else the field as it is."""
    if choice is None:
        return None, {}
    if choice in ("auto", "none", "required"):
        return ToolChoice(mode=choice), {}
    fields = object_of(choice, "tool_choice")
    kind = fields.get("type")
    if kind in {"function", "custom"}:
        return ToolChoice(mode="required", names=(read_as(_Custom, fields, "tool_choice").name,)), {}
    if kind == "allowed_tools":
        allowed = read_as(_Allowed, fields, "tool_choice")
        names = tuple(tool["name"] for tool in allowed.tools if isinstance(tool.get("name"), str))
        if allowed.mode in {"auto", "required"} and len(names) == len(allowed.tools):
            return ToolChoice(mode="required" if allowed.mode == "required" else "auto", names=names), {}
    return None, {"tool_choice": choice}


def _format(form: _Format | None) -> ResponseFormat | None:
    if form is None:
        return None
    if form.type not in {"text", "json_object", "json_schema"}:
        raise InvalidRequest(
            f"Invalid value for 'text.format.type': {form.type!r}. "
            "Supported values are text, json_object and json_schema.",
            param="text.format.type",
            code="invalid_value",
        )
    return ResponseFormat(
        type=cast("Any", form.type),
        name=form.name,
        description=form.description,
        schema=form.schema,
        strict=form.strict,
    )


def _reasoning(fields: dict[str, Any] | None) -> tuple[Reasoning | None, dict[str, Any]]:
    """Read `reasoning`: effort and summary, and by name what the form has no place for."""
    if fields is None:
        return None, {}
    known = ("effort", "summary", "generate_summary")
    for name in known:
        if fields.get(name) is not None and not isinstance(fields[name], str):
            raise InvalidRequest(
                f"Invalid type for 'reasoning.{name}': expected a string.",
                param=f"reasoning.{name}",
                code="invalid_type",
            )
    effort, summary = fields.get("effort"), fields.get("summary") or fields.get("generate_summary")
    others = {
        f"reasoning.{name}": value
        for name, value in fields.items()
        if name not in known and value is not None
    }
    return (Reasoning(effort=effort, summary=summary) if effort or summary else None), others
