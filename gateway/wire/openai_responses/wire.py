"""Responses as they pass through. https://platform.openai.com/docs/api-reference/responses-streaming."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import sse
from gateway.wire.body import UNREADABLE, read_answer, read_request, refuse_unless_unusual
from gateway.wire.dialect import PLAIN, Given, Head, StreamFailed
from gateway.wire.estimate import estimated_tokens, text_length
from gateway.wire.model_field import name_model
from gateway.wire.openai_errors import error_body
from gateway.wire.openai_responses.thoughts import own_thoughts_only
from gateway.wire.openai_responses.usage import UsageFields, read_usage, tools_of
from gateway.wire.untouched import UntouchedReader

NOTHING: Final = Raw(b"")
LAST: Final = frozenset({"response.completed", "response.incomplete"})
"""Events after which nothing of value follows."""
_FAILED: Final = frozenset({"error", "response.failed"})


class _Request(Struct):
    model: str
    input: str | list[Raw] | None = None
    stream: bool | None = None


class _Answer(Struct):
    usage: UsageFields | None = None
    output: Raw = NOTHING


class _Event(Struct, gc=False):
    type: str = ""
    delta: Raw = NOTHING
    response: Raw = NOTHING


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.encode


class OpenAIResponses:
    """Responses, whole and streamed. Their usage is always in the last event, and always shown."""

    name: Dialect = "openai.responses"
    capability: Capability = "responses"
    keep_alive = b": keep-alive\n\n"

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read model and stream."""
        request = read_request(_decode_request, body)
        if not request.model:
            raise InvalidRequest("You must provide a model parameter.", param="model")
        if request.input == []:
            raise InvalidRequest(
                "Invalid 'input': empty array. Expected text, or an array with at least one item.",
                param="input",
                code="empty_array",
            )
        return Head(request.model, bool(request.stream))

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model name where it differs, and leave out the thoughts of other providers."""
        body = own_thoughts_only(call.body)
        return body if model == call.model else name_model(body, model)

    def usage(self, body: bytes) -> Usage | None:
        """Find usage in a response."""
        answer = read_answer(_decode_answer, body)
        return read_usage(answer.usage, tools_of(bytes(answer.output))) if answer else None

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Estimate from the text of the request and of the answer."""
        return _estimate(call, text_length(body, "output"))

    def reader(self, call: Call) -> ResponsesReader:  # noqa: ARG002 - others need it
        """Make a reader that follows a stream of events."""
        return ResponsesReader()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as OpenAI does."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error inside a stream.

        OpenAI documents the fields beside `type`, and sends them in an `error` object, which is what its SDKs raise: both
        are there.
        """
        fields = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
        event = {**fields, "type": "error", "sequence_number": 0, "error": fields}
        return sse.event(_encode(event), "error")


class ResponsesReader(UntouchedReader):
    """Follows a stream of response events, which all pass untouched."""

    __slots__ = ()

    def estimate(self, call: Call) -> Usage:
        """Estimate from the text of the request and the characters that passed."""
        return _estimate(call, self._characters)

    def _note(self, payload: bytes) -> bool:
        self.began = True
        if payload == b"[DONE]":
            return True
        try:
            event = _decode_event(payload)
        except UNREADABLE as error:
            refuse_unless_unusual(payload, error)
            return True
        self._characters += len(event.delta)
        if event.type in LAST:
            answer = read_answer(_decode_answer, bytes(event.response))
            if answer:
                self.usage = read_usage(answer.usage, tools_of(bytes(answer.output))) or self.usage
            self.finished = True
        elif event.type in _FAILED or (
            not event.type and b'"error"' in payload and "error" in _fields(payload)
        ):
            raise failed(payload)
        return True


def failed(payload: bytes) -> StreamFailed:
    """Read the failure from an `error` or a `response.failed` event, or one without a type that holds an error."""
    return failure_of(_fields(payload))


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(payload)
    except UNREADABLE:
        return {}
    return cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}


def failure_of(fields: dict[str, Any]) -> StreamFailed:
    """Read the failure from the fields of an event, or of a response that failed."""
    said = fields
    for name in ("response", "error"):
        inner = said.get(name)
        if isinstance(inner, dict):
            said = cast("dict[str, Any]", inner)
    code, kind, message = said.get("code"), said.get("type"), said.get("message")
    status: int | None = None
    if isinstance(code, int):
        code, status = None, code if 400 <= code <= 599 else None  # noqa: PLR2004 - HTTP's range of errors
    if code == "rate_limit_exceeded":
        status = 429
    return StreamFailed(
        str(message or "the provider reported an error in its stream"),
        type=str(kind) if kind and kind not in _FAILED else None,
        code=str(code) if code else None,
        status=status,
    )


def _estimate(call: Call, characters: int) -> Usage:
    return Usage(
        prompt_tokens=estimated_tokens(text_length(call.body, "input")),
        completion_tokens=estimated_tokens(characters),
        estimated=True,
    )
