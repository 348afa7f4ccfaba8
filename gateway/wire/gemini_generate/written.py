"""Messages of the canonical form, as Gemini's contents. https://ai.google.dev/api/caching#Content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import msgspec

from gateway.wire.built_in import lost_name
from gateway.wire.canonical import (
    Audio,
    ChatRequest,
    Document,
    Foreign,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from gateway.wire.codec import Losses
from gateway.wire.gemini_generate import media, signatures
from gateway.wire.gemini_generate.contents import written_response
from gateway.wire.gemini_generate.settings import counts_thoughts
from gateway.wire.gemini_generate.shapes import DIALECT

_DETAILS: Final = frozenset({"low", "medium", "high", "ultra_high"})


def written_contents(
    request: ChatRequest, model: str, losses: Losses
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the turns, and the parts of the system instruction: instructions in the midst of the turns are moved there."""
    writer = _Writer(losses, needs_signatures=request.dialect != DIALECT and not counts_thoughts(model))
    contents: list[dict[str, Any]] = []
    system: list[dict[str, Any]] = []
    for message in request.messages:
        if message.name is not None:
            losses.cannot("messages.name")
        if message.role in {"system", "developer"}:
            system += writer.system(message.parts)
        else:
            parts = writer.parts(message)
            if parts:
                contents.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
    if not contents and system:  # there is no answer without a turn
        return [{"role": "user", "parts": system}], []
    return contents, system


class _Writer:
    def __init__(self, losses: Losses, *, needs_signatures: bool) -> None:
        self._losses = losses
        self._needs_signatures = needs_signatures
        self._names: dict[str, str] = {}

    def system(self, parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
        """Write instructions, which are words."""
        for part in parts:
            if isinstance(part, Text):
                yield from self._part(part)
            elif isinstance(part, Foreign):
                yield from self._foreign(part)
            else:
                self._losses.cannot(f"messages.{type(part).__name__.lower()}")

    def parts(self, message: Message) -> list[dict[str, Any]]:
        """Write the parts of a turn."""
        written = [one for part in message.parts for one in self._part(part)]
        if self._needs_signatures:
            signatures.sign_step(written)
        return written

    def _part(self, part: Part) -> Iterator[dict[str, Any]]:  # noqa: C901 - one case a kind
        match part:
            case Text():
                yield self._signed({"text": part.text}, part.signature)
            case Refusal():
                yield {"text": part.text}
            case Image():
                yield self._signed(media.written(part) | _detail(part), part.signature)
            case Audio() | Video():
                yield media.written(part)
            case Document():
                if part.context:
                    yield {"text": part.context}
                if part.citations:
                    self._losses.cannot("citations")
                yield media.written(part)
            case Thinking():
                yield from self._thought(part)
            case ToolCall():
                yield self._call(part)
            case ToolResult():
                yield self._result(part)
            case Foreign():
                yield from self._foreign(part)
        if getattr(part, "cache", None) is not None:
            self._losses.cannot("cache_control")

    def _thought(self, part: Thinking) -> Iterator[dict[str, Any]]:
        if part.origin == DIALECT:
            yield self._signed({"text": part.text, "thought": True}, part.signature)
        else:
            self._losses.cannot("thinking")

    def _call(self, part: ToolCall) -> dict[str, Any]:
        self._names[part.id] = part.name
        args = call_arguments(part.arguments, custom=part.custom)
        if args is None:
            args = {"input": part.arguments}  # what a model once formed badly; it is to see it as it was
        call = {"id": part.id, "name": part.name, "args": args}
        return self._signed({"functionCall": call}, part.signature)

    def _result(self, part: ToolResult) -> dict[str, Any]:
        words = [one.text for one in part.content if isinstance(one, Text | Refusal)]
        more = [one for one in part.content if not isinstance(one, Text | Refusal)]
        response: dict[str, Any] = {
            "id": part.id,
            "name": part.name or self._names.get(part.id, part.id),
            "response": written_response("\n".join(words), is_error=part.is_error),
        }
        parts = [one for item in more for one in self._part(item)]
        if parts:
            response["parts"] = parts
        return {"functionResponse": response}

    def _foreign(self, part: Foreign) -> Iterator[dict[str, Any]]:
        if part.dialect == DIALECT:
            yield part.value
        else:
            self._losses.cannot(lost_name(part))

    @staticmethod
    def _signed(fields: dict[str, Any], signature: str | None) -> dict[str, Any]:
        return {**fields, "thoughtSignature": signature} if signature else fields


def call_arguments(text: str, *, custom: bool) -> Any:
    """Return a call's arguments as the object that Gemini wants; None when they are none."""
    if custom:
        return {"input": text}
    if not text.strip():
        return {}
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cast("Any", value) if isinstance(value, dict) else None


def _detail(part: Image) -> dict[str, Any]:
    if part.detail not in _DETAILS:
        return {}
    return {"mediaResolution": {"level": f"MEDIA_RESOLUTION_{part.detail.upper()}"}}
