"""Events, to Gemini's stream for a client: server-sent events without names or an end mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.types import Usage
from gateway.wire.canonical import (
    AudioDelta,
    ChatRequest,
    Citation,
    CitationDelta,
    End,
    Event,
    ForeignEvent,
    LogprobsDelta,
    MediaDelta,
    RefusalDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.gemini_generate import media, safety, signatures
from gateway.wire.gemini_generate.answer import written_logprobs, written_part
from gateway.wire.gemini_generate.citations import QUERIES, written_citations
from gateway.wire.gemini_generate.shapes import DIALECT, FINISH, FunctionCall, Part, usage_fields
from gateway.wire.gemini_generate.written import call_arguments

_text = msgspec.json.Encoder().encode
_json = msgspec.json.encode

_NO_WORDS: Final = {"parts": [{"text": ""}], "role": "model"}
"""Google's SDKs forget an answer for the next turn when one of its events has no content, or content without parts."""
_BEFORE: Final = b'data: {"candidates":[{"content":{"parts":[{"text":'


class _Call(Struct):
    """A call that is not whole yet: Gemini tells calls at once."""

    start: ToolCallStart
    pieces: list[str]


class GeminiEncoder:
    """Writes one stream. What ends a choice is held back until usage is known, for Gemini says both together."""

    def __init__(self, request: ChatRequest) -> None:
        self._format = request.audio.format if request.audio else None
        self._tail = b""
        self._after = b""
        self._about({"modelVersion": request.model})
        self._model = request.model
        self._texts: dict[int, list[str]] = {}
        self._calls: dict[tuple[int, int], _Call] = {}
        self._citations: dict[int, list[Citation]] = {}
        self._stops: list[Stop] = []
        self._usage: Usage | None = None

    def encode(self, events: Sequence[Event]) -> bytes:
        """Write events; what is still owed comes with `End`."""
        if len(events) == 1 and type(events[0]) is TextDelta:
            return self._words(events[0])
        return b"".join(map(self._event, events))

    def _words(self, event: TextDelta) -> bytes:
        self._texts.setdefault(event.choice, []).append(event.text)
        if event.choice or event.signature:
            part = Part(text=event.text, thought_signature=event.signature)
            return self._part(event.choice, written_part(part))
        return _BEFORE + _text(event.text) + self._after

    def _event(self, event: Event) -> bytes:  # noqa: C901, PLR0911, PLR0912 - one case an event
        match event:
            case TextDelta():
                return self._words(event)
            case ThinkingDelta():
                return self._part(event.choice, {"text": event.text, "thought": True})
            case ThinkingEnd():
                signature = signatures.written(event)
                if signature is None:
                    return b""
                return self._part(event.choice, {"text": "", "thought": True, "thoughtSignature": signature})
            case RefusalDelta():
                return self._part(event.choice, {"text": event.text})
            case ToolCallStart():
                self._calls[event.choice, event.index] = _Call(event, [])
            case ToolCallDelta():
                self._calls[event.choice, event.index].pieces.append(event.arguments)
            case CitationDelta():
                self._citations.setdefault(event.choice, []).append(event.citation)
            case MediaDelta():
                blob = {"mimeType": event.media_type, "data": event.data}
                signed = {"thoughtSignature": event.signature} if event.signature else {}
                return self._part(event.choice, {"inlineData": blob, **signed})
            case AudioDelta():
                return self._sound(event)
            case LogprobsDelta():
                told = {"index": event.choice, "logprobsResult": written_logprobs(event.tokens)}
                return self._chunk([{"content": _NO_WORDS, **told}])
            case Stop():
                self._stops.append(event)
            case UsageReport():
                self._usage = event.usage
            case Start():
                about = {"modelVersion": event.model or self._model, "responseId": event.id or None}
                self._about({name: value for name, value in about.items() if value})
            case ForeignEvent():
                return self._own(event.value) if event.dialect == DIALECT else b""
            case End():
                return self._end()
        return b""

    def _own(self, value: dict[str, Any]) -> bytes:
        """Write code that was run, or what was searched for."""
        if QUERIES in value:
            return self._chunk([{"index": 0, "content": _NO_WORDS, "groundingMetadata": value}])
        return self._chunk([{"index": 0, "content": {"parts": [value], "role": "model"}}])

    def _about(self, fields: dict[str, str]) -> None:
        """Prepare what is the same in all events."""
        self._tail = b"," + _json(fields)[1:] + b"\n\n"
        self._after = b'}],"role":"model"},"index":0}]' + self._tail

    def _part(self, choice: int, part: dict[str, Any]) -> bytes:
        return self._chunk([{"content": {"parts": [part], "role": "model"}, "index": choice}])

    def _chunk(self, candidates: list[dict[str, Any]], tail: bytes | None = None) -> bytes:
        return b'data: {"candidates":' + _json(candidates) + (tail or self._tail)

    def _sound(self, event: AudioDelta) -> bytes:
        data = b""
        if event.transcript:
            data = self._part(event.choice, {"text": event.transcript})
        if event.data:
            blob = {"mimeType": media.spoken(self._format), "data": event.data}
            data += self._part(event.choice, {"inlineData": blob})
        return data

    def _end(self) -> bytes:
        """Write calls, reasons to stop, and usage in the last event."""
        candidates = [self._candidate(stop) for stop in self._stops]
        usage = b""
        if self._usage is not None:
            usage = b',"usageMetadata":' + _json(usage_fields(self._usage))
        return self._chunk(candidates, usage + self._tail)

    def _candidate(self, stop: Stop) -> dict[str, Any]:
        reason = stop.reason
        parts: list[dict[str, Any]] = []
        for (choice, _), call in sorted(self._calls.items(), key=lambda item: item[0]):
            if choice != stop.choice:
                continue
            start = call.start
            args = call_arguments("".join(call.pieces), custom=start.custom)
            if args is None:
                reason = reason if reason == "length" else "error"
                continue
            function = FunctionCall(start.name, args, start.id)
            parts.append(written_part(Part(function_call=function, thought_signature=start.signature)))
        signatures.sign_step(parts)  # for the day when a model of Gemini's goes on
        fields: dict[str, Any] = {
            "content": {"parts": parts, "role": "model"} if parts else _NO_WORDS,
            "finishReason": FINISH[reason],
            "index": stop.choice,
        }
        text = "".join(self._texts.get(stop.choice, ()))
        grounding = written_citations((text, 0, one) for one in self._citations.get(stop.choice, ()))
        if grounding:
            fields["groundingMetadata"] = grounding
        ratings = safety.written(stop.safety)
        if ratings is not None:
            fields["safetyRatings"] = ratings
        return fields
