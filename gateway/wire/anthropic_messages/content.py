"""Writes content blocks of Anthropic's messages for a provider.

https://platform.claude.com/docs/en/api/messages/create
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from gateway.errors import InvalidRequest
from gateway.wire.anthropic_messages.citations import raw_citation
from gateway.wire.anthropic_messages.seals import DIALECT
from gateway.wire.built_in import lost_name
from gateway.wire.cache_hints import control
from gateway.wire.canonical import (
    Audio,
    Document,
    Foreign,
    Image,
    Part,
    Refusal,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from gateway.wire.codec import Losses

Block: TypeAlias = dict[str, Any]

_PDF: Final = "application/pdf"
_NOT_IN_IDS: Final = re.compile(r"[^a-zA-Z0-9_-]")
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def blocks(given: Iterable[Part], losses: Losses) -> list[Block]:
    """Write parts; what cannot be said is left out and told to `losses`."""
    written = (_block(part, losses) for part in given)
    return [block for block in written if block is not None]


def tool_id(given: str) -> str:
    """Write the id of a tool call with the characters that Anthropic allows; the same id gives the same each time."""
    return _NOT_IN_IDS.sub("_", given)


def _block(part: Part, losses: Losses) -> Block | None:
    block = _WRITERS[type(part)](part, losses)
    cache = getattr(part, "cache", None)
    if block is not None and cache is not None:
        block["cache_control"] = control(cache)
    return block


def _text(text: Text, _losses: Losses) -> Block | None:
    """Write text, which must not be empty. Only a citation of a document can be said again."""
    if not text.text:
        return None
    block: Block = {"type": "text", "text": text.text}
    cited = [raw_citation(c) for c in text.citations if c.location is not None and c.document is not None]
    if cited:
        block["citations"] = cited
    return block


def _refusal(refusal: Refusal, losses: Losses) -> Block | None:
    """Write a refusal as what the assistant said."""
    return _text(Text(text=refusal.text), losses)


def _image(image: Image, _losses: Losses) -> Block:
    source = image.source
    if source.data is not None:
        written = {"type": "base64", "media_type": source.media_type or "image/png", "data": source.data}
    elif source.file is not None:
        written = {"type": "file", "file_id": source.file}
    else:
        written = {"type": "url", "url": source.url or ""}
    return {"type": "image", "source": written}


def _document(document: Document, losses: Losses) -> Block | None:
    source = _document_source(document.source)
    if source is None:
        losses.cannot("messages.document")
        return None
    block: Block = {"type": "document", "source": source}
    if document.name:
        block["title"] = document.name
    if document.context:
        block["context"] = document.context
    if document.citations:
        block["citations"] = {"enabled": True}
    return block


def _document_source(source: Source) -> Block | None:
    """Write where a document is; None for a kind of file that Anthropic does not read."""
    if source.text is not None:
        return {"type": "text", "media_type": "text/plain", "data": source.text}
    if source.file is not None:
        return {"type": "file", "file_id": source.file}
    if source.data is None:
        return {"type": "url", "url": source.url or ""}
    if (source.media_type or _PDF) == _PDF:
        return {"type": "base64", "media_type": _PDF, "data": source.data}
    return _decoded(source.data) if source.media_type and source.media_type.startswith("text/") else None


def _decoded(data: str) -> Block | None:
    """Write a text file as the text that it holds."""
    try:
        words = base64.b64decode(data).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return {"type": "text", "media_type": "text/plain", "data": words}


def _thinking(thought: Thinking, losses: Losses) -> Block | None:
    """Write a thought, if it is Anthropic's own and signed; it takes no other."""
    if thought.origin != DIALECT or not (thought.signature or thought.encrypted):
        losses.cannot("thinking")
        return None
    if thought.encrypted is not None:
        return {"type": "redacted_thinking", "data": thought.encrypted}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _tool_use(call: ToolCall, losses: Losses) -> Block | None:
    if call.custom:
        losses.cannot("tools.custom")
        return None
    try:
        arguments = _decode_object(call.arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRequest(
            f"The arguments of the tool call '{call.id}' are not a JSON object, as its provider needs them.",
            param="messages",
        ) from None
    return {"type": "tool_use", "id": tool_id(call.id), "name": call.name, "input": arguments}


def _tool_result(result: ToolResult, losses: Losses) -> Block | None:
    if result.custom:
        losses.cannot("tools.custom")
        return None
    block: Block = {"type": "tool_result", "tool_use_id": tool_id(result.id)}
    content = blocks(result.content, losses)
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        block["content"] = content[0]["text"]
    elif content:
        block["content"] = content
    if result.is_error:
        block["is_error"] = True
    return block


def _audio(_part: Audio, losses: Losses) -> None:
    losses.cannot("messages.audio")


def _video(_part: Video, losses: Losses) -> None:
    losses.cannot("messages.video")


def _foreign(part: Foreign, losses: Losses) -> Block | None:
    if part.dialect == DIALECT:
        return part.value
    losses.cannot(lost_name(part))
    return None


_WRITERS: Final[Mapping[type, Callable[[Any, Losses], Block | None]]] = MappingProxyType(
    {
        Text: _text,
        Refusal: _refusal,
        Image: _image,
        Document: _document,
        Thinking: _thinking,
        ToolCall: _tool_use,
        ToolResult: _tool_result,
        Audio: _audio,
        Video: _video,
        Foreign: _foreign,
    }
)
