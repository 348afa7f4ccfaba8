"""A request of AIGNE's, in the canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.errors import InvalidRequest
from gateway.wire.aigne_chat.caching import mark_messages, mark_tools
from gateway.wire.aigne_chat.files import file_part
from gateway.wire.aigne_chat.shapes import (
    DIALECT,
    CacheControl,
    Called,
    Chosen,
    Content,
    Format,
    ModelOptions,
    Request,
    Sent,
    ToolFields,
    Turn,
)
from gateway.wire.body import read_request
from gateway.wire.canonical import (
    CacheHint,
    ChatRequest,
    Message,
    Part,
    Reasoning,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

_json = msgspec.json.encode
_decode = msgspec.json.Decoder(Request).decode
_decode_sent = msgspec.json.Decoder(Sent).decode
_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(ModelOptions))
_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "user": "user",
    "agent": "assistant",
    "assistant": "assistant",
}


def read(body: bytes) -> Request:
    """Read the body. Raises `InvalidRequest` naming the field at fault."""
    return read_request(_decode, body)


def decode_request(body: bytes, *, model: str, stream: bool) -> ChatRequest:
    """Read a client's request."""
    given = read(body).input
    options = given.model_options or ModelOptions()
    modalities = tuple(word.lower() for word in options.modalities or ())
    if "audio" in modalities:
        raise InvalidRequest(
            "A chat cannot answer with sound here: use /audio/speech.",
            param="input.modelOptions.modalities",
            code="unsupported_value",
        )
    return ChatRequest(
        dialect=DIALECT,
        model=model,
        messages=mark_messages(_messages(given.messages), options.cache_config),
        stream=stream,
        tools=mark_tools(tuple(map(_tool, given.tools or ())), options.cache_config),
        tool_choice=_tool_choice(given.tool_choice),
        parallel_tool_calls=options.parallel_tool_calls,
        response_format=_response_format(given.response_format),
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        top_k=options.top_k,
        stop=(options.stop,) if isinstance(options.stop, str) else tuple(options.stop or ()),
        seed=options.seed,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        reasoning=_reasoning(options.reasoning_effort),
        modalities=modalities,
        extra=_more(body),
    )


def _more(body: bytes) -> dict[str, Any]:
    """Options that only some other program may know; they are refused by name, or dropped with the operator's leave."""
    options = _decode_sent(body).input.model_options or {}
    return {name: options[name] for name in options.keys() - _KNOWN if options[name] is not None}


def _messages(turns: list[Turn]) -> tuple[Message, ...]:
    messages: list[Message] = []
    for turn in turns:
        if turn.role != "tool":
            parts = (*_content(turn), *map(_call, turn.tool_calls or ()))
            messages.append(Message(role=_ROLES[turn.role], parts=parts, name=turn.name))
            continue
        if turn.tool_call_id is None:
            raise InvalidRequest(
                "A message of the role 'tool' needs the 'toolCallId' that it answers.",
                param="input.messages.toolCallId",
            )
        result = ToolResult(id=turn.tool_call_id, name=turn.name, content=_content(turn))
        if messages and messages[-1].role == "tool":
            messages[-1] = Message(role="tool", parts=(*messages[-1].parts, result))
        else:
            messages.append(Message(role="tool", parts=(result,)))
    return tuple(messages)


def _content(turn: Turn) -> tuple[Part, ...]:
    """Read the content; a mark for the cache on the whole message is one on its last part."""
    whole = _cache(turn.cache_control)
    if turn.content is None or isinstance(turn.content, str):
        return (Text(text=turn.content, cache=whole),) if turn.content else ()
    last = len(turn.content) - 1
    return tuple(
        _part(content, _cache(content.cache_control) or (whole if number == last else None))
        for number, content in enumerate(turn.content)
    )


def _part(content: Content, cache: CacheHint | None) -> Part:
    if content.type == "text" and content.text is not None:
        return Thinking(text=content.text) if content.is_thinking else Text(text=content.text, cache=cache)
    return file_part(content, cache)


def _call(called: Called) -> ToolCall:
    arguments = called.function.arguments
    return ToolCall(
        id=called.id,
        name=called.function.name,
        arguments=arguments if isinstance(arguments, str) else _json(arguments or {}).decode(),
        signature=called.metadata.thought_signature if called.metadata else None,
    )


def _tool(tool: ToolFields) -> Tool:
    function = tool.function
    return Tool(
        name=function.name,
        description=function.description,
        parameters=function.parameters,
        cache=_cache(tool.cache_control),
    )


def _tool_choice(choice: str | Chosen | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case Chosen():
            return ToolChoice(mode="required", names=(choice.function.name,))
        case "none" | "required":
            return ToolChoice(mode=choice)
        case _:
            return ToolChoice(mode="auto")


def _response_format(wanted: Format | None) -> ResponseFormat | None:
    if wanted is None:
        return None
    schema = wanted.json_schema
    if wanted.type != "json_schema" or schema is None:
        return ResponseFormat(type="text" if wanted.type == "text" else "json_object")
    return ResponseFormat(
        type="json_schema",
        name=schema.name,
        description=schema.description,
        schema=schema.schema,
        strict=schema.strict,
    )


def _reasoning(effort: int | str | None) -> Reasoning | None:
    if effort is None:
        return None
    return Reasoning(budget=effort) if isinstance(effort, int) else Reasoning(effort=effort)


def _cache(control: CacheControl | None) -> CacheHint | None:
    return None if control is None else CacheHint(ttl=control.ttl)
