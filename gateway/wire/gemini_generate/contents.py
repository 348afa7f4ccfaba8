"""The turns of a client's request, to the canonical form. https://ai.google.dev/api/caching#Content."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire.canonical import Foreign, Message, Part, Text, ToolCall, ToolResult
from gateway.wire.gemini_generate import media, signatures
from gateway.wire.gemini_generate.shapes import DIALECT, Blob, FileData, FunctionCall

_PARTS: Final = frozenset(
    {
        "text",
        "thought",
        "thoughtSignature",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "mediaResolution",
    }
)
"""Fields of parts that other dialects know."""
_CALLS: Final = frozenset({"id", "name", "args"})
_RESPONSES: Final = frozenset({"id", "name", "response", "parts"})


class _Level(Struct):
    level: str | None = None


class _FunctionResponse(Struct):
    name: str = ""
    response: Any = None
    id: str | None = None
    parts: list[_Part] | None = None


class _Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: _FunctionResponse | None = None
    media_resolution: _Level | None = None


class Turn(Struct):
    """One content: who speaks, and its parts as they came."""

    parts: list[dict[str, Any]] | None = None
    role: str | None = None


class _Contents(Struct):
    """For the sake of its name in messages."""

    contents: list[list[_Part]]


class _Instruction(Struct):
    parts: list[_Part]


class _System(Struct, rename="camel"):
    """For the sake of its name in messages."""

    system_instruction: _Instruction


def system_parts(turn: Turn | None) -> tuple[Part, ...]:
    """Return the parts of the system instruction."""
    if turn is None:
        return ()
    outer = msgspec.convert({"systemInstruction": {"parts": turn.parts or []}}, _System)
    ids = _Ids()
    return tuple(
        ids.part(raw, part)
        for raw, part in zip(turn.parts or (), outer.system_instruction.parts, strict=True)
    )


def messages(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """Return the turns as messages: results of functions, which stand in the user's turns, in messages of their own."""
    ids = _Ids()
    found: list[Message] = []
    typed = msgspec.convert({"contents": [turn.parts or [] for turn in turns]}, _Contents).contents
    for turn, parts in zip(turns, typed, strict=True):
        if turn.role == "model":
            made = tuple(ids.part(raw, part) for raw, part in zip(turn.parts or (), parts, strict=True))
            found.append(Message(role="assistant", parts=made))
            continue
        if turn.role not in {None, "", "user", "function"}:
            raise InvalidRequest(
                f"Invalid role '{turn.role}' in 'contents': it must be 'user' or 'model'.", param="contents"
            )
        for raw, part in zip(turn.parts or (), parts, strict=True):
            _append(found, ids.part(raw, part), begins=raw is (turn.parts or [None])[0])
    return tuple(found)


def _append(found: list[Message], part: Part, *, begins: bool) -> None:
    """Append a part of a user's turn to its message; results that follow one another share one."""
    role = "tool" if isinstance(part, ToolResult) else "user"
    last = found[-1] if found else None
    if last is not None and last.role == role and (role == "tool" or not begins):
        found[-1] = Message(role=role, parts=(*last.parts, part))
    else:
        found.append(Message(role=role, parts=(part,)))


class _Ids:
    """Gives calls without an id one, and finds it again for their results, which come in the same order."""

    def __init__(self) -> None:
        self._count = 0
        self._open: deque[ToolCall] = deque()

    def part(self, raw: Mapping[str, Any], part: _Part) -> Part:  # noqa: PLR0911 - one return a kind
        """Read one part; what other dialects do not know is kept as it is."""
        foreign = _foreign(raw)
        if foreign is not None:
            return Foreign(dialect=DIALECT, type=foreign, value=raw)
        signature = signatures.standard(part.thought_signature) if part.thought_signature else None
        if part.function_call is not None:
            own = signatures.of_call(part.thought_signature)
            return self._call(part.function_call, None if own is None else signature)
        if part.function_response is not None:
            return self._result(part.function_response)
        detail = _detail(part.media_resolution)
        if part.inline_data is not None:
            return media.from_blob(part.inline_data, detail=detail, signature=signature)
        if part.file_data is not None:
            return media.from_file(part.file_data, detail=detail, signature=signature)
        if part.thought:
            return signatures.read(part.text or "", signature)
        if part.text is None and signature is None:
            raise InvalidRequest(
                "A part in 'contents' holds nothing: give it 'text', 'inlineData' or the like.",
                param="contents",
            )
        return Text(text=part.text or "", signature=signature)

    def _call(self, call: FunctionCall, signature: str | None) -> ToolCall:
        self._count += 1
        arguments = "{}" if call.args is None else msgspec.json.encode(call.args).decode()
        made = ToolCall(
            id=call.id or f"call_{self._count}", name=call.name, arguments=arguments, signature=signature
        )
        self._open.append(made)
        return made

    def _result(self, response: _FunctionResponse) -> ToolResult:
        given, name = response.id, response.name
        for call in self._open:
            if call.id == given or (not given and call.name == name):
                self._open.remove(call)
                given, name = call.id, name or call.name
                break
        text, is_error = read_response(response.response)
        more = (self.part(msgspec.to_builtins(part), part) for part in response.parts or ())
        return ToolResult(
            id=given or f"call_{name}", name=name or None, content=(Text(text=text), *more), is_error=is_error
        )


def read_response(response: Any) -> tuple[str, bool]:
    """Return the words of a function's response, and whether they tell of an error.

    Gemini wants an object, and gives `output` and `error` in it a meaning; a single one of these is unpacked wherever
    packing makes the same of it again.
    """
    match response:
        case {"output": str(text), **rest} if not rest and not _is_object(text):
            return text, False
        case {"error": str(text), **rest} if not rest and not _is_object(text):
            return text, True
        case {"error": dict(), **rest} if not rest:
            return msgspec.json.encode(response["error"]).decode(), True
        case _:
            return msgspec.json.encode({} if response is None else response).decode(), False


def written_response(text: str, *, is_error: bool) -> Any:
    """Return a function's response for Gemini: the object that the text is, or an object around the text."""
    value: Any = msgspec.json.decode(text) if _is_object(text) else text
    if is_error:
        return {"error": value}
    return cast("Any", value) if isinstance(value, dict) else {"output": value}


def _is_object(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _foreign(raw: Mapping[str, Any]) -> str | None:
    """Return the name of what other dialects do not know in a part, if there is such a thing."""
    for name, value in raw.items():
        if value is not None and (
            name not in _PARTS
            or (name == "functionCall" and value.keys() - _CALLS)
            or (name == "functionResponse" and value.keys() - _RESPONSES)
        ):
            return name
    return None


def _detail(level: _Level | None) -> str | None:
    if level is None or level.level is None or level.level.endswith("UNSPECIFIED"):
        return None
    return level.level.removeprefix("MEDIA_RESOLUTION_").lower()
