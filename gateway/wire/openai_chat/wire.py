"""OpenAI chat completions. https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import sse
from gateway.wire.body import UNREADABLE, read_answer, read_request, refuse_unless_unusual
from gateway.wire.dialect import PLAIN, Given, Head, StreamCut
from gateway.wire.estimate import estimated_tokens, text_length
from gateway.wire.openai_chat.words import UsageFields, read_usage
from gateway.wire.openai_errors import error_body, stream_failed
from gateway.wire.untouched import UntouchedReader

NOTHING: Final = Raw(b"")


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Request(Struct):
    model: str
    messages: list[Raw]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


class _Answer(Struct, gc=False):
    usage: UsageFields | None = None


class _Delta(Struct, gc=False):
    content: Raw = NOTHING
    reasoning_content: Raw = NOTHING
    tool_calls: Raw = NOTHING


class _Choice(Struct, gc=False):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: UsageFields | None = None
    error: Raw = NOTHING


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_options = msgspec.json.Decoder(dict[str, Any] | None).decode
_encode = msgspec.json.encode


class OpenAIChat:
    """Chat completions, whole and streamed."""

    name: Dialect = "openai.chat"
    capability: Capability = "chat"
    keep_alive = b": keep-alive\n\n"

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read model, stream and whether usage is to be shown."""
        request = read_request(_decode_request, body)
        if not request.model:
            raise InvalidRequest("You must provide a model parameter.", param="model")
        if not request.messages:
            raise InvalidRequest(
                "Invalid 'messages': empty array. Expected an array with at least one message.",
                param="messages",
                code="empty_array",
            )
        options = request.stream_options
        shows_usage = options is not None and bool(options.include_usage)
        return Head(request.model, bool(request.stream), shows_usage)

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model name and ask for usage, where the client's own bytes do not already do so."""
        asks = call.stream and not call.shows_usage
        if model == call.model and not asks:
            return call.body
        fields = _decode_fields(call.body)
        fields["model"] = Raw(_encode(model))
        if asks:
            options: dict[str, Any] = _decode_options(fields.get("stream_options", b"null")) or {}
            options["include_usage"] = True
            fields["stream_options"] = Raw(_encode(options))
        return _encode(fields)

    def usage(self, body: bytes) -> Usage | None:
        """Find usage in a chat completion."""
        answer = read_answer(_decode_answer, body)
        return read_usage(answer.usage) if answer else None

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Estimate from the text of the request and of the answer."""
        return _estimate(call, text_length(body, "choices"))

    def reader(self, call: Call) -> ChatReader:
        """Make a reader that hides the usage event from clients that did not ask for it."""
        return ChatReader(hides_usage=not call.shows_usage)

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as OpenAI does."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error inside a stream: a data event with an `error` object, which OpenAI's SDKs raise."""
        return sse.event(error_body(error))


class ChatReader(UntouchedReader):
    """Follows a stream of chat completion chunks."""

    __slots__ = ("_hides_usage", "_stopped")

    def __init__(self, *, hides_usage: bool) -> None:
        super().__init__()
        self._hides_usage = hides_usage
        self._stopped = False

    def end(self) -> bytes:
        """Accept a finish reason or `[DONE]` as the end: some providers leave out one or the other."""
        if not (self.finished or self._stopped) or self._events.rest.strip():
            raise StreamCut
        return b""

    def estimate(self, call: Call) -> Usage:
        """Estimate from the text of the request and the characters that passed."""
        return _estimate(call, self._characters)

    def _note(self, payload: bytes) -> bool:
        self.began = True
        if payload == b"[DONE]":
            self.finished = True
            return True
        try:
            chunk = _decode_chunk(payload)
        except UNREADABLE as error:
            refuse_unless_unusual(payload, error)
            return True
        if chunk.error is not NOTHING and bytes(chunk.error) != b"null":
            raise stream_failed(bytes(chunk.error))
        for choice in chunk.choices or ():
            delta = choice.delta
            if delta is not None:
                self._characters += len(delta.content) + len(delta.reasoning_content) + len(delta.tool_calls)
            if choice.finish_reason is not None:
                self._stopped = True
        if chunk.usage is None:
            return True
        self.usage = read_usage(chunk.usage) or self.usage
        return bool(chunk.choices) or not self._hides_usage


def _estimate(call: Call, characters: int) -> Usage:
    return Usage(
        prompt_tokens=estimated_tokens(text_length(call.body, "messages")),
        completion_tokens=estimated_tokens(characters),
        estimated=True,
    )
