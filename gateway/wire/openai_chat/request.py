"""A client's chat completion request, to the canonical form.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from gateway.errors import InvalidRequest
from gateway.wire.body import read_request
from gateway.wire.built_in import SEARCH_OPTIONS
from gateway.wire.cache_hints import Control, read_hint
from gateway.wire.canonical import (
    AudioOutput,
    ChatRequest,
    Foreign,
    Reasoning,
    ResponseFormat,
    Tool,
    ToolChoice,
)
from gateway.wire.openai_chat.messages import IncomingMessage, MessagesReader
from gateway.wire.openai_chat.words import DIALECT


class FunctionsRequest(ChatRequest, frozen=True, kw_only=True):
    """A request with the deprecated `functions`: its answer is to say `function_call`."""


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Function(Struct):
    name: str
    description: str | None = None
    parameters: Any = None
    strict: bool | None = None


class _Custom(Struct):
    name: str
    description: str | None = None
    format: Any = None


class _Tool(Struct):
    type: str
    function: _Function | None = None
    custom: _Custom | None = None
    cache_control: Control | None = None


class _Named(Struct):
    name: str


class _Allowed(Struct):
    function: _Named | None = None
    custom: _Named | None = None


class _AllowedTools(Struct):
    mode: Literal["auto", "required"]
    tools: list[_Allowed]


class _Choice(Struct):
    type: Literal["function", "custom", "allowed_tools"]
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _AllowedTools | None = None


class _Schema(Struct):
    name: str
    description: str | None = None
    schema: Any = None
    strict: bool | None = None


class _Format(Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


class _Voice(Struct):
    id: str


class _Audio(Struct):
    voice: str | _Voice | None = None
    format: str | None = None


class _Request(Struct):
    model: str
    messages: list[IncomingMessage]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[_Tool] | None = None
    tool_choice: Literal["auto", "none", "required"] | _Choice | None = None
    functions: list[_Function] | None = None
    function_call: Literal["auto", "none"] | _Named | None = None
    parallel_tool_calls: bool | None = None
    response_format: _Format | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] | None = None
    service_tier: str | None = None
    store: bool | None = None
    prompt_cache_key: str | None = None
    modalities: list[str] | None = None
    audio: _Audio | None = None
    web_search_options: dict[str, Any] | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode = msgspec.json.decode
_KNOWN: Final = frozenset(_Request.__struct_fields__)


def decode_request(body: bytes, *, model: str, stream: bool) -> ChatRequest:
    """Read a request. Raises `InvalidRequest` naming the field at fault."""
    given = read_request(_decode_request, body)
    fields = _decode_fields(body)
    extra = {name: value for name in fields.keys() - _KNOWN if (value := _decode(fields[name])) is not None}
    if given.user is not None and given.safety_identifier is not None:
        extra["safety_identifier"] = given.safety_identifier
    kind = ChatRequest if given.functions is None else FunctionsRequest
    options = given.stream_options
    return kind(
        dialect=DIALECT,
        model=model,
        messages=MessagesReader(lambda: _decode(fields["messages"])).read(given.messages),
        stream=stream,
        shows_usage=options is not None and bool(options.include_usage),
        tools=_tools(given, fields),
        tool_choice=_choice(given),
        parallel_tool_calls=given.parallel_tool_calls,
        response_format=_format(given.response_format),
        max_tokens=given.max_tokens if given.max_completion_tokens is None else given.max_completion_tokens,
        temperature=given.temperature,
        top_p=given.top_p,
        top_k=given.top_k,
        stop=(given.stop,) if isinstance(given.stop, str) else tuple(given.stop or ()),
        seed=given.seed,
        n=given.n,
        presence_penalty=given.presence_penalty,
        frequency_penalty=given.frequency_penalty,
        logit_bias=given.logit_bias,
        logprobs=given.logprobs,
        top_logprobs=given.top_logprobs,
        reasoning=None if given.reasoning_effort is None else Reasoning(effort=given.reasoning_effort),
        verbosity=given.verbosity,
        user=given.safety_identifier if given.user is None else given.user,
        metadata=given.metadata,
        service_tier=given.service_tier,
        store=given.store,
        cache_key=given.prompt_cache_key,
        modalities=tuple(given.modalities or ()),
        audio=_audio(given.audio),
        extra=extra,
    )


def _tools(given: _Request, fields: dict[str, Raw]) -> tuple[Tool | Foreign, ...]:
    tools: list[Tool | Foreign] = [_function(function) for function in given.functions or ()]
    for number, tool in enumerate(given.tools or ()):
        if tool.type == "function" and tool.function is not None:
            tools.append(_function(tool.function, tool.cache_control))
        elif tool.type == "custom" and tool.custom is not None:
            custom = tool.custom
            tools.append(
                Tool(
                    name=custom.name,
                    description=custom.description,
                    custom=True,
                    format=custom.format,
                    cache=read_hint(None, tool.cache_control),
                )
            )
        elif tool.type in {"function", "custom"}:
            raise InvalidRequest(
                f"Missing required parameter: 'tools[{number}].{tool.type}'.",
                param=f"tools[{number}].{tool.type}",
                code="missing_required_parameter",
            )
        else:
            tools.append(Foreign(dialect=DIALECT, type=tool.type, value=_decode(fields["tools"])[number]))
    if given.web_search_options is not None:
        tools.append(Foreign(dialect=DIALECT, type=SEARCH_OPTIONS, value=given.web_search_options))
    return tuple(tools)


def _function(function: _Function, control: Control | None = None) -> Tool:
    return Tool(
        name=function.name,
        description=function.description,
        parameters=function.parameters,
        strict=function.strict,
        cache=read_hint(None, control),
    )


def _choice(given: _Request) -> ToolChoice | None:
    choice = given.tool_choice
    if choice is None and given.function_call is not None:
        called = given.function_call
        if isinstance(called, str):
            return ToolChoice(mode=called)
        return ToolChoice(mode="required", names=(called.name,))
    if choice is None or isinstance(choice, str):
        return None if choice is None else ToolChoice(mode=choice)
    if choice.type == "allowed_tools" and choice.allowed_tools is not None:
        allowed = choice.allowed_tools
        return ToolChoice(mode=allowed.mode, names=_names(allowed.tools))
    named = choice.function or choice.custom
    if named is None:
        param = f"tool_choice.{choice.type}"
        raise InvalidRequest(
            f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
        )
    return ToolChoice(mode="required", names=(named.name,))


def _names(tools: Sequence[_Allowed]) -> tuple[str, ...]:
    names = tuple(named.name for tool in tools if (named := tool.function or tool.custom) is not None)
    if not names or len(names) < len(tools):
        raise InvalidRequest(
            "Invalid value for 'tool_choice.allowed_tools.tools': name one function or custom tool in each.",
            param="tool_choice.allowed_tools.tools",
            code="invalid_value",
        )
    return names


def _format(given: _Format | None) -> ResponseFormat | None:
    if given is None:
        return None
    schema = given.json_schema
    if given.type != "json_schema":
        return ResponseFormat(type=given.type)
    if schema is None:
        raise InvalidRequest(
            "Missing required parameter: 'response_format.json_schema'.",
            param="response_format.json_schema",
            code="missing_required_parameter",
        )
    return ResponseFormat(
        type="json_schema",
        name=schema.name,
        description=schema.description,
        schema=schema.schema,
        strict=schema.strict,
    )


def _audio(given: _Audio | None) -> AudioOutput | None:
    if given is None:
        return None
    voice = given.voice.id if isinstance(given.voice, _Voice) else given.voice
    return AudioOutput(voice=voice, format=given.format)
