"""The content blocks of messages, read and written.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.errors import InvalidRequest
from gateway.types import Dialect
from gateway.wire.bedrock_converse.citations import CitationBlock, decode_citation, encode_citation
from gateway.wire.bedrock_converse.media import (
    DocumentNames,
    Medium,
    decode_medium,
    encode_document,
    encode_medium,
)
from gateway.wire.body import UNREADABLE
from gateway.wire.built_in import lost_name
from gateway.wire.cache_hints import anthropic_ttl
from gateway.wire.canonical import (
    Audio,
    CacheHint,
    Document,
    Foreign,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from gateway.wire.codec import Losses

DIALECT: Final[Dialect] = "bedrock.converse"
_SIGNED_HERE: Final = frozenset({DIALECT, "anthropic.messages"})
"""Claude's signatures hold on every platform that serves it."""
_UNFIT_IN_IDS: Final = re.compile(r"[^A-Za-z0-9_.:-]")
_LONGEST_ID: Final = 64

_decode_json = msgspec.json.decode


class _ReasoningText(Struct):
    text: str = ""
    signature: str | None = None


class _Reasoning(Struct):
    reasoningText: _ReasoningText | None = None  # noqa: N815 - the wire's own spelling
    redactedContent: str | None = None  # noqa: N815


class _ToolUse(Struct):
    toolUseId: str  # noqa: N815
    name: str
    input: Raw = Raw(b"{}")
    type: str | None = None


class _ToolResult(Struct):
    toolUseId: str  # noqa: N815
    content: list[Raw] = []
    status: str | None = None


class _CachePoint(Struct):
    ttl: str | None = None


class _Cited(Struct):
    content: list[Raw] = []
    citations: list[CitationBlock] = []


class _Block(Struct):
    text: str | None = None
    json: Raw | None = None
    image: Medium | None = None
    document: Medium | None = None
    video: Medium | None = None
    audio: Medium | None = None
    toolUse: _ToolUse | None = None  # noqa: N815
    toolResult: _ToolResult | None = None  # noqa: N815
    reasoningContent: _Reasoning | None = None  # noqa: N815
    citationsContent: _Cited | None = None  # noqa: N815
    cachePoint: _CachePoint | None = None  # noqa: N815


_decode_block = msgspec.json.Decoder(_Block).decode


def decode_blocks(blocks: Iterable[Raw]) -> tuple[Part, ...]:
    """Read blocks; what the canonical form cannot say is kept as it is. Raises msgspec's errors for what is no block."""
    parts: list[Part] = []
    for raw in blocks:
        block = _decode_block(raw)
        if block.cachePoint is not None and parts and hasattr(parts[-1], "cache"):
            parts[-1] = msgspec.structs.replace(parts[-1], cache=CacheHint(block.cachePoint.ttl))
            continue
        part = _medium(block) or _words(block) or _tool(block)
        parts.append(part or _foreign(raw))
    return tuple(parts)


def _words(block: _Block) -> Part | None:
    if block.text is not None:
        return Text(text=block.text)
    if block.json is not None:
        return Text(text=bytes(block.json).decode())
    if block.citationsContent is not None:
        cited = block.citationsContent
        text = "".join(_decode_block(raw).text or "" for raw in cited.content)
        return Text(text=text, citations=tuple(map(decode_citation, cited.citations)))
    reasoning = block.reasoningContent
    if reasoning is None:
        return None
    if reasoning.redactedContent is not None:
        return Thinking(encrypted=reasoning.redactedContent, origin=DIALECT)
    said = reasoning.reasoningText or _ReasoningText()
    return Thinking(text=said.text, signature=said.signature, origin=DIALECT if said.signature else None)


def _medium(block: _Block) -> Part | None:
    for kind in ("image", "document", "video", "audio"):
        medium: Medium | None = getattr(block, kind)
        if medium is not None:
            return decode_medium(kind, medium)
    return None


def _tool(block: _Block) -> Part | None:
    use, result = block.toolUse, block.toolResult
    if use is not None and use.type is None:
        return ToolCall(id=use.toolUseId, name=use.name, arguments=bytes(use.input).decode())
    if result is not None:
        failed = result.status == "error"
        return ToolResult(id=result.toolUseId, content=decode_blocks(result.content), is_error=failed)
    return None


def _foreign(raw: Raw) -> Foreign:
    value = _decode_json(raw)
    return Foreign(dialect=DIALECT, type=next(iter(value), "empty"), value=value)


class BlockWriter:
    """Writes the parts of one request as blocks."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._names = DocumentNames()

    def blocks(self, parts: Iterable[Part]) -> list[dict[str, Any]]:
        """Write parts, each with the cache point after it."""
        blocks: list[dict[str, Any]] = []
        for part in parts:
            block = self._block(part)
            if block is not None:
                blocks.append(block)
            cache = _cache(part)
            if cache is not None and blocks:
                blocks.append(cache_point(cache))
        return blocks

    def _block(self, part: Part) -> dict[str, Any] | None:
        match part:
            case Text() | Refusal():
                return _text(part)
            case Image() | Video() | Audio() | Document():
                return self._medium(part)
            case Thinking():
                return self._thinking(part)
            case ToolCall():
                return self._tool_use(part)
            case ToolResult():
                return self._tool_result(part)
            case Foreign():
                return self._foreign(part)

    def _medium(self, part: Image | Video | Audio | Document) -> dict[str, Any] | None:
        if isinstance(part, Document):
            return encode_document(part, self._names, self._losses)
        if isinstance(part, Audio) and part.id and part.transcript and part.source.data is None:
            return {"text": part.transcript}
        return encode_medium(part, self._losses)

    def _thinking(self, part: Thinking) -> dict[str, Any] | None:
        if part.encrypted is not None and part.origin == DIALECT:
            return {"reasoningContent": {"redactedContent": part.encrypted}}
        if part.encrypted is not None or part.origin not in _SIGNED_HERE:
            self._losses.cannot("thinking")
            return None
        said = {"text": part.text}
        if part.signature is not None:
            said["signature"] = part.signature
        return {"reasoningContent": {"reasoningText": said}}

    def _tool_use(self, part: ToolCall) -> dict[str, Any] | None:
        if part.custom:
            self._losses.cannot("tools.custom")
            return None
        call = {"toolUseId": fit_id(part.id), "name": part.name, "input": _input(part)}
        return {"toolUse": call}

    def _tool_result(self, part: ToolResult) -> dict[str, Any]:
        content = [block for block in self.blocks(part.content) if "cachePoint" not in block]
        result: dict[str, Any] = {"toolUseId": fit_id(part.id), "content": content}
        if part.is_error:
            result["status"] = "error"
        return {"toolResult": result}

    def _foreign(self, part: Foreign) -> dict[str, Any] | None:
        if part.dialect == DIALECT:
            return part.value
        self._losses.cannot(lost_name(part))
        return None


def _cache(part: Part) -> CacheHint | None:
    """Return the cache hint on a part; those within the result of a tool call count for the whole of it."""
    cache: CacheHint | None = getattr(part, "cache", None)
    if cache is None and isinstance(part, ToolResult):
        return next((found for inner in part.content if (found := _cache(inner)) is not None), None)
    return cache


def cache_point(hint: CacheHint) -> dict[str, Any]:
    """Write a cache hint."""
    ttl = anthropic_ttl(hint)
    point = {"type": "default", **({"ttl": ttl} if ttl else {})}
    return {"cachePoint": point}


def fit_id(given: str) -> str:
    """Return the id of a tool call in the letters and the length that Converse allows, always the same for the same id."""
    if len(given) <= _LONGEST_ID and given and not _UNFIT_IN_IDS.search(given):
        return given
    return f"call_{hashlib.sha256(given.encode()).hexdigest()[:40]}"


def _text(part: Text | Refusal) -> dict[str, Any] | None:
    if not part.text:
        return None  # refused by Bedrock, and says nothing
    if isinstance(part, Text) and part.citations:
        citations = [encode_citation(citation) for citation in part.citations]
        return {"citationsContent": {"content": [{"text": part.text}], "citations": citations}}
    return {"text": part.text}


def _input(call: ToolCall) -> Raw:
    """Check the arguments, for they become part of the body."""
    given = call.arguments.strip() or "{}"
    try:
        _decode_json(given)
    except UNREADABLE:
        raise InvalidRequest(
            f"The arguments of the tool call '{call.id}' are not valid JSON; send them back as the model gave them.",
            param="messages",
        ) from None
    return Raw(given.encode())
