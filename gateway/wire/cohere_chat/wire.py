"""Cohere's chat as it passes through, from Cohere's own clients. https://docs.cohere.com/v2/docs/streaming."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import sse
from gateway.wire.body import UNREADABLE, read_answer, read_request, refuse_unless_unusual
from gateway.wire.cohere_chat import shapes
from gateway.wire.cohere_chat.messages import DIALECT
from gateway.wire.cohere_errors import error_body
from gateway.wire.dialect import PLAIN, Given, Head, StreamFailed
from gateway.wire.estimate import estimated_tokens, text_length
from gateway.wire.model_field import name_model
from gateway.wire.untouched import UntouchedReader


class _Request(Struct):
    model: str
    messages: list[Raw]
    stream: bool | None = None


class _Answer(Struct):
    usage: shapes.Counted | None = None


class _Delta(Struct):
    finish_reason: str | None = None
    usage: shapes.Counted | None = None
    error: str | None = None


class _Event(Struct):
    type: str = ""
    delta: Raw = Raw(b"")


_decode_request: Final = msgspec.json.Decoder(_Request).decode
_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
_decode_event: Final = msgspec.json.Decoder(_Event).decode
_decode_delta: Final = msgspec.json.Decoder(_Delta).decode


class CohereChat:
    """Chats, whole and streamed; usage is in the last event, and always shown."""

    name: Dialect = DIALECT
    capability: Capability = "chat"
    keep_alive = b": keep-alive\n\n"

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read model and stream."""
        request = read_request(_decode_request, body)
        if not request.model:
            raise InvalidRequest("You must provide a model parameter.", param="model")
        return Head(request.model, bool(request.stream))

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model name where it differs."""
        return call.body if model == call.model else name_model(call.body, model)

    def usage(self, body: bytes) -> Usage | None:
        """Find usage in a whole answer."""
        answer = read_answer(_decode_answer, body)
        return shapes.usage(answer.usage) if answer else None

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Estimate from the text of the request and of the answer."""
        return _estimate(call, text_length(body, "message"))

    def reader(self, call: Call) -> CohereReader:  # noqa: ARG002 - others need it
        """Make a reader that follows a stream of events."""
        return CohereReader()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as Cohere does."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error inside a stream: an end that says what went wrong."""
        delta: dict[str, Any] = {"finish_reason": "ERROR", "error": error.message}
        event = {"type": "message-end", "delta": delta}
        return sse.event(msgspec.json.encode(event), "message-end")


class CohereReader(UntouchedReader):
    """Follows a stream, all of which passes untouched."""

    __slots__ = ()

    def estimate(self, call: Call) -> Usage:
        """Estimate from the text of the request and the characters that passed."""
        return _estimate(call, self._characters)

    def _note(self, payload: bytes) -> bool:
        if payload == b"[DONE]":
            return True
        self.began = True
        try:
            event = _decode_event(payload)
            if event.type == "message-end":
                self._last(_decode_delta(event.delta))
        except UNREADABLE as error:
            refuse_unless_unusual(payload, error)
            return True
        self._characters += len(event.delta)
        return True

    def _last(self, delta: _Delta) -> None:
        failed = shapes.FAILED.get(delta.finish_reason or "")
        if failed is not None:
            raise StreamFailed(delta.error or failed, type=None, code=None, status=None)
        self.usage = shapes.usage(delta.usage) or self.usage
        self.finished = True


def _estimate(call: Call, characters: int) -> Usage:
    return Usage(
        prompt_tokens=estimated_tokens(text_length(call.body, "messages")),
        completion_tokens=estimated_tokens(characters),
        estimated=True,
    )
