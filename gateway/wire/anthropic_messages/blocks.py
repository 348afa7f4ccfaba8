"""Reads the content blocks of Anthropic's messages, in requests and in answers.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar, cast

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire.anthropic_messages.citations import citation
from gateway.wire.anthropic_messages.seals import DIALECT, unseal, unseal_call
from gateway.wire.canonical import (
    CacheHint,
    Document,
    Foreign,
    Image,
    Part,
    Source,
    Text,
    ToolCall,
    ToolResult,
)

Block: TypeAlias = dict[str, Any]
StructT = TypeVar("StructT", bound=Struct)


class CacheControl(Struct):
    """`cache_control`."""

    type: str
    ttl: str | None = None


class _Text(Struct):
    text: str
    citations: list[Block] | None = None
    cache_control: CacheControl | None = None


class _Source(Struct):
    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | list[Block] | None = None


class _Cited(Struct):
    enabled: bool = False


class _Medium(Struct):
    source: _Source
    title: str | None = None
    context: str | None = None
    citations: _Cited | None = None
    cache_control: CacheControl | None = None


class _Thinking(Struct):
    thinking: str
    signature: str = ""


class _Redacted(Struct):
    data: str


class _ToolUse(Struct):
    id: str
    name: str
    input: dict[str, Any]
    cache_control: CacheControl | None = None


class _ToolResult(Struct):
    tool_use_id: str
    content: str | list[Block] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


_KNOWN: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "text": frozenset({"text", "citations", "cache_control"}),
        "image": frozenset({"source", "cache_control"}),
        "document": frozenset({"source", "title", "context", "citations", "cache_control"}),
        "thinking": frozenset({"thinking", "signature"}),
        "redacted_thinking": frozenset({"data"}),
        "tool_use": frozenset({"id", "name", "input", "caller", "cache_control"}),
        "tool_result": frozenset({"tool_use_id", "content", "is_error", "cache_control"}),
    }
)
"""The fields of the blocks that the canonical form has a place for; a block with others is kept as it is."""


def parts(content: str | list[Block], where: str) -> tuple[Part, ...]:
    """Read a message's content; `where` names it in errors. Raises `InvalidRequest`."""
    if isinstance(content, str):
        return (Text(text=content),)
    signatures = dict(filter(None, (unseal_call(block.get("data")) for block in content)))
    if not signatures:
        return tuple(part(block, f"{where}.{number}") for number, block in enumerate(content))
    read = [
        part(block, f"{where}.{number}")
        for number, block in enumerate(content)
        if unseal_call(block.get("data")) is None
    ]
    return tuple(_signed(one, signatures) if isinstance(one, ToolCall) else one for one in read)


def part(block: Block, where: str) -> Part:
    """Read one block. Raises `InvalidRequest` naming the field at fault."""
    kind = block.get("type")
    if not isinstance(kind, str):
        raise InvalidRequest(f"{where}.type: a content block needs a type.", param=f"{where}.type")
    known = _KNOWN.get(kind)
    if known is None or _says_more(block, known):
        return Foreign(dialect=DIALECT, type=kind, value=block)
    return _READERS[kind](block, where)


def _signed(call: ToolCall, signatures: Mapping[str, str]) -> ToolCall:
    return msgspec.structs.replace(call, signature=signatures.get(call.id))


def text(block: Block, where: str) -> Text:
    """Read a block of text."""
    words = shaped(block, _Text, where)
    return Text(
        text=words.text,
        citations=tuple(map(citation, words.citations or ())),
        cache=cache_hint(words.cache_control),
    )


def shaped(value: Block, shape: type[StructT], where: str) -> StructT:
    """Give an object its shape. Raises `InvalidRequest` naming the field at fault."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        field = f"{where}{path.rstrip('`')}"
        raise InvalidRequest(f"{field}: {problem.replace('`', '')}.", param=field) from None


def cache_hint(control: CacheControl | None) -> CacheHint | None:
    """Read `cache_control`."""
    return CacheHint(control.ttl) if control else None


def _thinking(block: Block, where: str) -> Part:
    thought = shaped(block, _Thinking, where)
    return unseal(thought.thinking, thought.signature, encrypted=False)


def _redacted(block: Block, where: str) -> Part:
    return unseal("", shaped(block, _Redacted, where).data, encrypted=True)


def _tool_use(block: Block, where: str) -> Part:
    call = shaped(block, _ToolUse, where)
    arguments = msgspec.json.encode(call.input).decode()
    return ToolCall(id=call.id, name=call.name, arguments=arguments, cache=cache_hint(call.cache_control))


def _tool_result(block: Block, where: str) -> Part:
    result = shaped(block, _ToolResult, where)
    return ToolResult(
        id=result.tool_use_id,
        content=parts(result.content or [], f"{where}.content"),
        is_error=bool(result.is_error),
        cache=cache_hint(result.cache_control),
    )


def _medium(block: Block, where: str) -> Part:
    kind: str = block["type"]
    medium = shaped(block, _Medium, where)
    source, cache = _source(medium.source, f"{where}.source"), cache_hint(medium.cache_control)
    if source is None:
        return Foreign(dialect=DIALECT, type=kind, value=block)
    if kind == "image":
        return Image(source=source, cache=cache)
    return Document(
        source=source,
        name=medium.title,
        context=medium.context,
        citations=bool(medium.citations and medium.citations.enabled),
        cache=cache,
    )


def _source(source: _Source, where: str) -> Source | None:
    """Read where a medium is; None for a way that only Anthropic knows. Raises `InvalidRequest`."""
    match source.type:
        case "base64":
            return Source(media_type=source.media_type, data=_given(source.data, f"{where}.data"))
        case "url":
            return Source(url=_given(source.url, f"{where}.url"))
        case "file":
            return Source(file=_given(source.file_id, f"{where}.file_id"))
        case "text":
            return Source(media_type="text/plain", text=_given(source.data, f"{where}.data"))
        case "content":
            return _chunks(source.content)
        case _:
            return None


def _chunks(content: str | list[Block] | None) -> Source | None:
    """Join a document given in chunks of text; the chunks matter to citations only."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    if any(block.keys() != {"type", "text"} or not isinstance(block["text"], str) for block in blocks):
        return None
    return Source(media_type="text/plain", text="\n\n".join(block["text"] for block in blocks))


def _given(value: str | None, where: str) -> str:
    if value is None:
        raise InvalidRequest(f"{where}: Field required.", param=where)
    return value


def _says_more(block: Block, known: frozenset[str]) -> bool:
    """Whether a block has fields that the canonical form has no place for, and that say something."""
    more = any(value is not None for key, value in block.items() if key not in known and key != "type")
    caller = block.get("caller")
    direct = not isinstance(caller, dict) or cast("Block", caller).get("type") == "direct"
    return more or not direct


_READERS: Final[Mapping[str, Callable[[Block, str], Part]]] = MappingProxyType(
    {
        "text": text,
        "image": _medium,
        "document": _medium,
        "thinking": _thinking,
        "redacted_thinking": _redacted,
        "tool_use": _tool_use,
        "tool_result": _tool_result,
    }
)
