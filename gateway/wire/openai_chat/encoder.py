"""Events, as a stream of chat completion chunks for a client.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from gateway.types import Usage
from gateway.wire.canonical import (
    AudioDelta,
    ChatRequest,
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
    Thinking,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.openai_chat.request import FunctionsRequest
from gateway.wire.openai_chat.words import (
    citation_fields,
    finish_reason,
    logprobs_fields,
    signature_content,
    thinking_detail,
    usage_fields,
)

_Delta: TypeAlias = (
    TextDelta
    | ThinkingDelta
    | ThinkingEnd
    | RefusalDelta
    | ToolCallStart
    | ToolCallDelta
    | CitationDelta
    | MediaDelta
    | AudioDelta
)
_OfChoice: TypeAlias = _Delta | LogprobsDelta | Stop

_encode = msgspec.json.encode
_DONE: Final = b"data: [DONE]\n\n"


class _Choice(Struct):
    """What is to be known of one choice."""

    before: bytes
    """Of a chunk, up to its delta."""
    text: bytes
    """Of a chunk with text, up to the text."""
    characters: int = 0
    part: int = 0
    """How many characters there were when the open text part began."""
    thought: str = ""
    """The open thought."""
    thoughts: int = 0
    annotations: int = 0
    images: int = 0
    refused: bool = False
    custom: frozenset[int] = frozenset()
    """Indexes of the calls of custom tools."""


class ChatEncoder:
    """Writes a stream. The bytes around the changing text are made once."""

    __slots__ = ("_about", "_after", "_choices", "_close", "_head", "_legacy", "_request", "_usage")

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._legacy = isinstance(request, FunctionsRequest)
        self._usage: Usage | None = None
        self._about: dict[str, Any] = {}
        self._head = b""
        # OpenAI shows usage as null in every chunk but the last, where it is shown at all.
        self._close = b'],"usage":null}\n\n' if request.shows_usage else b"]}\n\n"
        self._after = b',"logprobs":null,"finish_reason":null}' + self._close
        self._choices: dict[int, _Choice] = {}

    def encode(self, events: Sequence[Event]) -> bytes:
        """Write events."""
        chunks: list[bytes] = []
        for event in events:
            if type(event) is TextDelta and event.signature is None:
                choice = self._choices.get(event.choice) or self._begin(event, chunks)
                if choice.thought:
                    choice.thought = ""
                choice.characters += len(event.text)
                chunks.append(choice.text + _encode(event.text) + b"}" + self._after)
            else:
                self._other(event, chunks)
        return b"".join(chunks)

    def _other(self, event: Event, chunks: list[bytes]) -> None:
        match event:
            case Start():
                self._start(event)
            case UsageReport():
                self._usage = event.usage
                if event.service_tier is not None:
                    self._about["service_tier"] = event.service_tier
            case End():
                if self._request.shows_usage and self._usage is not None:
                    last: dict[str, Any] = {**self._about, "choices": [], "usage": usage_fields(self._usage)}
                    chunks.append(b"data: " + _encode(last) + b"\n\n")
                chunks.append(_DONE)
            case ForeignEvent():
                pass  # what only another dialect can say
            case Stop():
                choice = self._choices.get(event.choice) or self._begin(event, chunks)
                chunks.append(choice.before + self._finish(event, choice) + self._close)
            case LogprobsDelta():
                choice = self._choices.get(event.choice) or self._begin(event, chunks)
                tokens = _encode(logprobs_fields(event.tokens, refused=choice.refused))
                chunks.append(
                    choice.before + b'{},"logprobs":' + tokens + b',"finish_reason":null}' + self._close
                )
            case _:
                choice = self._choices.get(event.choice) or self._begin(event, chunks)
                delta = self._delta(event, choice)
                if delta:
                    chunks.append(choice.before + _encode(delta) + self._after)

    def _start(self, start: Start) -> None:
        self._about = {
            "id": start.id or f"chatcmpl-{time.time_ns()}",
            "object": "chat.completion.chunk",
            "created": start.created or int(time.time()),
            "model": start.model or self._request.model,
            "system_fingerprint": None,
        }
        if start.service_tier is not None:
            self._about["service_tier"] = start.service_tier
        self._head = b"data: " + _encode(self._about)[:-1] + b',"choices":['

    def _begin(self, event: _OfChoice, chunks: list[bytes]) -> _Choice:
        """Say whose words follow: late, so that a provider that fails at once leaves the client nothing but the error."""
        before = self._head + b'{"index":%d,"delta":' % event.choice
        choice = self._choices[event.choice] = _Choice(before, before + b'{"content":')
        content = b"null" if isinstance(event, ToolCallStart) else b'""'
        role = b'{"role":"assistant","content":' + content + b',"refusal":null}'
        chunks.append(before + role + self._after)
        return choice

    def _finish(self, stop: Stop, choice: _Choice) -> bytes:
        reason = finish_reason(stop.reason, refused=choice.refused)
        if self._legacy and reason == "tool_calls":
            reason = "function_call"
        safety = b"" if stop.safety is None else b',"safety_results":' + _encode(stop.safety)
        return b'{},"logprobs":null,"finish_reason":' + _encode(reason) + safety + b"}"

    def _delta(self, event: _Delta, choice: _Choice) -> dict[str, Any] | None:
        match event:
            case ThinkingDelta():
                choice.thought += event.text
                return {"reasoning_content": event.text}
            case ThinkingEnd():
                return _thought(event, choice)
            case ToolCallStart() | ToolCallDelta():
                choice.thought = ""
                choice.part = choice.characters
                return self._call(event, choice)
            case TextDelta():
                choice.characters += len(event.text)
                assert event.signature is not None, "others are written without a dictionary"
                return {"content": event.text, "extra_content": signature_content(event.signature)}
            case RefusalDelta():
                choice.refused = True
                return {"refusal": event.text}
            case _:
                return _attached(event, choice)

    def _call(self, event: ToolCallStart | ToolCallDelta, choice: _Choice) -> dict[str, Any] | None:
        """Write a piece of a call; the dialect of old knows one call only."""
        starts = isinstance(event, ToolCallStart)
        function = {"name": event.name, "arguments": ""} if starts else {"arguments": event.arguments}
        if self._legacy:
            return {"function_call": function} if event.index == 0 else None
        call: dict[str, Any] = {"index": event.index}
        if starts:
            if event.custom:
                choice.custom |= {event.index}
            call |= {"id": event.id, "type": "custom" if event.custom else "function"}
            if event.signature is not None:
                call["extra_content"] = signature_content(event.signature)
        if event.index in choice.custom:
            function["input"] = function.pop("arguments")
            return {"tool_calls": [{**call, "custom": function}]}
        return {"tool_calls": [{**call, "function": function}]}


def _attached(event: CitationDelta | MediaDelta | AudioDelta, choice: _Choice) -> dict[str, Any] | None:
    """Write what goes with the text. Lists are counted, for clients put together what has the same index."""
    match event:
        case CitationDelta():
            fields = citation_fields(event.citation, choice.part, choice.characters)
            if fields is None:
                return None
            choice.annotations += 1
            return {"annotations": [{"index": choice.annotations - 1, **fields}]}
        case MediaDelta():
            address = f"data:{event.media_type};base64,{event.data}"
            choice.images += 1
            image = {"type": "image_url", "image_url": {"url": address}}
            return {"images": [{"index": choice.images - 1, **image}]}
        case AudioDelta():
            sound = {
                "id": event.id,
                "data": event.data,
                "transcript": event.transcript,
                "expires_at": event.expires_at,
            }
            return {"audio": {name: value for name, value in sound.items() if value is not None}}


def _thought(end: ThinkingEnd, choice: _Choice) -> dict[str, Any] | None:
    """Write a thought once more, whole, with what is to be said of it: clients send back `reasoning_details` as they are."""
    thinking = Thinking(
        text=choice.thought,
        signature=end.signature,
        encrypted=end.encrypted,
        id=end.id,
        origin=end.origin,
    )
    choice.thought = ""
    detail = thinking_detail(thinking, choice.thoughts)
    if detail is None:
        return None
    choice.thoughts += 1
    return {"reasoning_details": [detail]}
