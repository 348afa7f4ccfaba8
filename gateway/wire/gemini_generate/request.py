"""Whole requests, to and from the canonical form. https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire.body import read_request
from gateway.wire.canonical import ChatRequest, Message
from gateway.wire.codec import Losses
from gateway.wire.gemini_generate.contents import Turn, messages, system_parts
from gateway.wire.gemini_generate.keys import decoder_of
from gateway.wire.gemini_generate.settings import read_settings, written_settings
from gateway.wire.gemini_generate.shapes import DIALECT
from gateway.wire.gemini_generate.tools import read_tools, written_tools
from gateway.wire.gemini_generate.written import written_contents


class _Request(Struct, rename="camel"):
    contents: list[Turn]
    system_instruction: Turn | None = None
    tools: list[dict[str, Any]] | None = None
    tool_config: dict[str, Any] | None = None
    generation_config: dict[str, Any] | None = None
    labels: dict[str, str] | None = None
    service_tier: str | None = None
    store: bool | None = None


_KNOWN: Final = frozenset(_Request.__struct_encode_fields__) | {"model"}
_PLACED: Final = frozenset({"toolConfig"})
"""What of `extra` is written elsewhere, as is all whose name has a dot."""
_NOTHING: tuple[Any, ...] = (None, "", [], {})
"""What some clients send for fields that nobody has set."""
_TIERS: Final[Mapping[str, str]] = {"standard": "default"}
_TIERS_BACK: Final[Mapping[str, str]] = {"default": "standard", "flex": "flex", "priority": "priority"}

_fields = decoder_of(dict[str, Any])


def decode_request(body: bytes, *, model: str, stream: bool) -> ChatRequest:
    """Read a client's request. Raises `InvalidRequest` naming the field at fault."""
    return read_request(partial(_read, model=model, stream=stream), body)


def _read(body: bytes, *, model: str, stream: bool) -> ChatRequest:
    fields = _fields(body)
    request = msgspec.convert(fields, _Request)
    if not request.contents:
        raise InvalidRequest("'contents' must hold at least one content.", param="contents")
    extra = {name: value for name, value in fields.items() if name not in _KNOWN and value not in _NOTHING}
    tools, choice = read_tools(request.tools or [], request.tool_config or {}, extra)
    system = system_parts(request.system_instruction)
    opening = (Message(role="system", parts=system),) if system else ()
    tier = (request.service_tier or "unspecified").lower()
    return ChatRequest(
        dialect=DIALECT,
        model=model,
        stream=stream,
        messages=(*opening, *messages(request.contents)),
        tools=tools,
        tool_choice=choice,
        metadata=request.labels or None,
        service_tier=None if tier == "unspecified" else _TIERS.get(tier, tier),
        store=request.store,
        **read_settings(request.generation_config or {}, extra),
        extra=extra,
    )


def encode_request(request: ChatRequest, model: str, losses: Losses) -> bytes:
    """Write a request for a model of Gemini's, whose name stands in the path and not in the body."""
    ours = request.dialect == DIALECT
    contents, system = written_contents(request, model, losses)
    fields: dict[str, Any] = {"contents": contents}
    if system:
        fields["systemInstruction"] = {"parts": system}
    tools, tool_config = written_tools(request, losses)
    if tools:
        fields["tools"] = tools
    if tool_config:
        fields["toolConfig"] = tool_config
    config = written_settings(request, model, losses)
    if config:
        fields["generationConfig"] = config
    if ours:
        given = {"labels": request.metadata, "store": request.store}
        fields |= {name: value for name, value in given.items() if value is not None}
        more = {
            name: value for name, value in request.extra.items() if name not in _PLACED and "." not in name
        }
        fields |= more
    tier = request.service_tier
    if tier in _TIERS_BACK:
        fields["serviceTier"] = _TIERS_BACK[tier]
    _tell(request, losses, ours=ours)
    return msgspec.json.encode(fields)


def _tell(request: ChatRequest, losses: Losses, *, ours: bool) -> None:
    """Tell what of the request's own fields cannot be said."""
    lost = {
        "metadata": bool(request.metadata) and not ours,
        "store": bool(request.store) and not ours,
        "service_tier": request.service_tier not in {None, "auto", *_TIERS_BACK},
        "user": request.user is not None,
        "cache_key": request.cache_key is not None,
    }
    for name in [*(name for name, is_lost in lost.items() if is_lost), *(() if ours else request.extra)]:
        losses.cannot(name)
