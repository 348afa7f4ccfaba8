"""Messages of a client's request, to the canonical form.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire.cache_hints import Breakpoint, Control, read_hint
from gateway.wire.canonical import (
    Audio,
    CacheHint,
    Document,
    Foreign,
    Image,
    Message,
    Part,
    Refusal,
    Role,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Video,
)
from gateway.wire.openai_chat.words import DIALECT, read_signature, read_thinking

_DATA_URL: Final = re.compile(r"data:([^;,]*)(?:;[^,]*)?;base64,")
_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


class _Address(Struct):
    url: str
    detail: str | None = None


class _InputAudio(Struct):
    data: str
    format: str


class _File(Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _Part(Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _Address | str | None = None
    video_url: _Address | None = None
    input_audio: _InputAudio | None = None
    file: _File | None = None
    prompt_cache_breakpoint: Breakpoint | None = None
    cache_control: Control | None = None


class _Function(Struct):
    name: str
    arguments: str = ""


class _Custom(Struct):
    name: str
    input: str = ""


class _Call(Struct):
    id: str
    function: _Function | None = None
    custom: _Custom | None = None
    extra_content: Any = None


class _Spoken(Struct):
    id: str


class IncomingMessage(Struct):
    """One message as the client wrote it."""

    role: str
    content: str | list[_Part] | None = None
    name: str | None = None
    refusal: str | None = None
    audio: _Spoken | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    reasoning_details: Any = None
    extra_content: Any = None


class MessagesReader:
    """Reads the messages of one request, in order."""

    def __init__(self, raw: Callable[[], Any]) -> None:
        self._raw = raw
        self._calls: dict[str, ToolCall] = {}
        self._invented = 0
        self._last_function = ""

    def read(self, messages: Sequence[IncomingMessage]) -> tuple[Message, ...]:
        """Read them all. Raises `InvalidRequest` naming the field at fault."""
        turns: list[Message] = []
        for number, message in enumerate(messages):
            where = f"messages[{number}]"
            role = message.role
            if role not in _ROLES:
                raise InvalidRequest(
                    f"Invalid value for '{where}.role': '{role}'. Supported values are 'system', 'developer', 'user', "
                    "'assistant' and 'tool'.",
                    param=f"{where}.role",
                    code="invalid_value",
                )
            if role in {"tool", "function"}:
                result = self._result(message, where)
                if turns and turns[-1].role == "tool":
                    turns[-1] = Message(role="tool", parts=(*turns[-1].parts, result))
                else:
                    turns.append(Message(role="tool", parts=(result,)))
                continue
            parts = self._assistant(message, where) if role == "assistant" else self._parts(message, where)
            turns.append(Message(role=cast("Role", role), parts=tuple(parts), name=message.name))
        return tuple(turns)

    def _parts(self, message: IncomingMessage, where: str) -> list[Part]:
        content = message.content
        if isinstance(content, str):
            return [Text(text=content)]
        if not content:
            raise _missing(f"{where}.content")
        return [self._part(part, f"{where}.content[{number}]") for number, part in enumerate(content)]

    def _part(self, part: _Part, where: str) -> Part:
        cache = read_hint(part.prompt_cache_breakpoint, part.cache_control)
        match part.type:
            case "text" if part.text is not None:
                return Text(text=part.text, cache=cache)
            case "refusal" if part.refusal is not None:
                return Refusal(text=part.refusal)
            case "image_url" | "input_audio" | "file" | "video_url":
                return _medium(part, where, cache)
            case "text" | "refusal":
                raise _missing(f"{where}.{part.type}")
            case _:
                return Foreign(dialect=DIALECT, type=part.type, value=self._value(where))

    def _value(self, where: str) -> Any:
        """Find the JSON of a part of an unknown type, which the typed form does not hold."""
        number, place = map(int, re.findall(r"\[(\d+)\]", where))
        return self._raw()[number]["content"][place]

    def _assistant(self, message: IncomingMessage, where: str) -> list[Part]:
        said = message.reasoning_content or message.reasoning
        parts = cast(
            "list[Part]",
            read_thinking(message.reasoning_details, said if isinstance(said, str) else None),
        )
        if message.content:
            parts += self._parts(message, where)
        signature = read_signature(message.extra_content)
        if signature is not None:
            parts = _signed(parts, signature)
        if message.refusal:
            parts.append(Refusal(text=message.refusal))
        if message.audio is not None:
            parts.append(Audio(source=Source(file=message.audio.id), id=message.audio.id))
        for number, call in enumerate(message.tool_calls or ()):
            parts.append(self._known(_call(call, f"{where}.tool_calls[{number}]")))
        if message.function_call is not None:
            function = message.function_call
            self._last_function = f"call_{self._invented}"
            self._invented += 1
            parts.append(
                self._known(
                    ToolCall(id=self._last_function, name=function.name, arguments=function.arguments)
                )
            )
        return parts or self._parts(message, where)

    def _known(self, call: ToolCall) -> ToolCall:
        self._calls[call.id] = call
        return call

    def _result(self, message: IncomingMessage, where: str) -> ToolResult:
        name = message.tool_call_id if message.role == "tool" else self._last_function
        if name is None:
            raise _missing(f"{where}.tool_call_id")
        call = self._calls.get(name)
        may_be_nothing = message.content == "" or (message.role == "function" and message.content is None)
        return ToolResult(
            id=name,
            name=call.name if call else message.name,
            custom=call is not None and call.custom,
            content=() if may_be_nothing else tuple(self._parts(message, where)),
        )


def _medium(part: _Part, where: str, cache: CacheHint | None) -> Part:
    match part.type:
        case "image_url" if part.image_url is not None:
            image = part.image_url
            address = image if isinstance(image, str) else image.url
            detail = None if isinstance(image, str) else image.detail
            return Image(source=_source(address), detail=detail, cache=cache)
        case "input_audio" if part.input_audio is not None:
            sound = part.input_audio
            kind = "mpeg" if sound.format == "mp3" else sound.format
            return Audio(source=Source(media_type=f"audio/{kind}", data=sound.data), cache=cache)
        case "file" if part.file is not None:
            return Document(source=_file(part.file, where), name=part.file.filename, cache=cache)
        case "video_url" if part.video_url is not None:
            return Video(source=_source(part.video_url.url), cache=cache)
        case _:
            raise _missing(f"{where}.{part.type}")


def _call(call: _Call, where: str) -> ToolCall:
    signature = read_signature(call.extra_content)
    if call.function is not None:
        function = call.function
        return ToolCall(id=call.id, name=function.name, arguments=function.arguments, signature=signature)
    if call.custom is not None:
        return ToolCall(
            id=call.id, name=call.custom.name, arguments=call.custom.input, custom=True, signature=signature
        )
    raise _missing(f"{where}.function")


def _source(address: str) -> Source:
    match = _DATA_URL.match(address)
    if match is None:
        return Source(url=address)
    return Source(media_type=match[1] or None, data=address[match.end() :])


def _file(file: _File, where: str) -> Source:
    if file.file_id is not None:
        return Source(file=file.file_id)
    if file.file_data is None:
        raise _missing(f"{where}.file.file_data")
    match = _DATA_URL.match(file.file_data)
    if match is None:
        return Source(media_type="application/pdf", data=file.file_data)
    return Source(media_type=match[1] or "application/pdf", data=file.file_data[match.end() :])


def _signed(parts: list[Part], signature: str) -> list[Part]:
    """Put a message's thought signature to its last text."""
    for place in reversed(range(len(parts))):
        part = parts[place]
        if isinstance(part, Text):
            signed = Text(text=part.text, cache=part.cache, signature=signature)
            return [*parts[:place], signed, *parts[place + 1 :]]
    return parts


def _missing(param: str) -> InvalidRequest:
    return InvalidRequest(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )
