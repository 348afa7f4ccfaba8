"""Requests of Converse, read.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from gateway.errors import InvalidRequest
from gateway.wire.bedrock_converse.blocks import DIALECT, decode_blocks
from gateway.wire.bedrock_converse.request import OWN_FIELDS
from gateway.wire.body import read_request
from gateway.wire.canonical import (
    CacheHint,
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
    role: Literal["user", "assistant", "system"]
    content: list[Raw]


class _Inference(Struct):
    maxTokens: int | None = None  # noqa: N815 - the wire's own spelling
    temperature: float | None = None
    topP: float | None = None  # noqa: N815
    stopSequences: list[str] = []  # noqa: N815


class _Schema(Struct):
    json: Any = None


class _Spec(Struct):
    name: str
    inputSchema: _Schema  # noqa: N815
    description: str | None = None
    strict: bool | None = None


class _Point(Struct):
    ttl: str | None = None


class _Tool(Struct):
    toolSpec: _Spec | None = None  # noqa: N815
    cachePoint: _Point | None = None  # noqa: N815


class _Named(Struct):
    name: str


class _Choice(Struct):
    auto: dict[str, Any] | None = None
    any: dict[str, Any] | None = None
    tool: _Named | None = None


class _ToolConfig(Struct):
    tools: list[Raw] = []
    toolChoice: _Choice | None = None  # noqa: N815


class _JsonSchema(Struct):
    schema: str
    name: str | None = None
    description: str | None = None


class _Structure(Struct):
    jsonSchema: _JsonSchema  # noqa: N815


class _Format(Struct):
    structure: _Structure


class _Output(Struct):
    textFormat: _Format | None = None  # noqa: N815
    effort: str | None = None


class _Tier(Struct):
    type: str


class _Request(Struct):
    messages: list[_Message] = []
    system: list[Raw] = []
    inferenceConfig: _Inference = msgspec.field(default_factory=_Inference)  # noqa: N815
    toolConfig: _ToolConfig = msgspec.field(default_factory=_ToolConfig)  # noqa: N815
    outputConfig: _Output = msgspec.field(default_factory=_Output)  # noqa: N815
    requestMetadata: dict[str, str] | None = None  # noqa: N815
    serviceTier: _Tier | None = None  # noqa: N815


_decode = msgspec.json.Decoder(_Request).decode
_decode_tool = msgspec.json.Decoder(_Tool).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode
_READ = frozenset(_Request.__struct_fields__)


def decode_request(body: bytes, *, model: str, stream: bool) -> ChatRequest:
    """Read a request. Raises `InvalidRequest` naming the field at fault."""
    given = read_request(_decode, body)
    try:
        messages = [*_instructions(given.system), *_turns(given.messages)]
        tools = _tools(given.toolConfig.tools)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"Invalid content block: {error}.", param="messages") from None
    inference, output = given.inferenceConfig, given.outputConfig
    fields = _decode_fields(body)
    return ChatRequest(
        dialect=DIALECT,
        model=model,
        messages=tuple(messages),
        stream=stream,
        tools=tools,
        tool_choice=_choice(given.toolConfig.toolChoice),
        response_format=_format(output.textFormat),
        max_tokens=inference.maxTokens,
        temperature=inference.temperature,
        top_p=inference.topP,
        stop=tuple(inference.stopSequences),
        reasoning=Reasoning(effort=output.effort) if output.effort is not None else None,
        metadata=given.requestMetadata,
        service_tier=given.serviceTier.type if given.serviceTier is not None else None,
        extra={name: value for name, value in fields.items() if name in OWN_FIELDS or name not in _READ},
    )


def _instructions(blocks: list[Raw]) -> Iterator[Message]:
    if blocks:
        yield Message(role="system", parts=decode_blocks(blocks))


def _turns(messages: list[_Message]) -> Iterator[Message]:
    """Read turns; the tool results in one become a turn of their own."""
    for message in messages:
        parts: list[Part] = []
        role: Role = message.role
        for part in decode_blocks(message.content):
            of: Role = "tool" if isinstance(part, ToolResult) else message.role
            if parts and of != role:
                yield Message(role=role, parts=tuple(parts))
                parts = []
            role = of
            parts.append(part)
        yield Message(role=role, parts=tuple(parts))


def _tools(tools: list[Raw]) -> tuple[Tool | Foreign, ...]:
    found: list[Tool | Foreign] = []
    for raw in tools:
        tool = _decode_tool(raw)
        last = found[-1] if found else None
        if tool.toolSpec is not None:
            spec = tool.toolSpec
            found.append(
                Tool(
                    name=spec.name,
                    description=spec.description,
                    parameters=spec.inputSchema.json,
                    strict=spec.strict,
                )
            )
        elif tool.cachePoint is not None and isinstance(last, Tool):
            found[-1] = msgspec.structs.replace(last, cache=CacheHint(tool.cachePoint.ttl))
        else:
            value = _decode_fields(raw)
            found.append(Foreign(dialect=DIALECT, type=next(iter(value), "empty"), value=value))
    return tuple(found)


def _choice(choice: _Choice | None) -> ToolChoice | None:
    if choice is None:
        return None
    if choice.tool is not None:
        return ToolChoice(mode="required", names=(choice.tool.name,))
    return ToolChoice(mode="required" if choice.any is not None else "auto")


def _format(given: _Format | None) -> ResponseFormat | None:
    if given is None:
        return None
    schema = given.structure.jsonSchema
    try:
        decoded = msgspec.json.decode(schema.schema)
    except msgspec.DecodeError as error:
        raise InvalidRequest(
            f"The schema of 'outputConfig' is not valid JSON: {error}.", param="outputConfig"
        ) from None
    return ResponseFormat(
        type="json_schema", name=schema.name, description=schema.description, schema=decoded
    )
