"""OpenAI's Realtime API: sessions of events in both directions, which pass untouched while their usage is read.

https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.dialect import PLAIN, Given, Head, StreamReader, WireError
from gateway.wire.openai_errors import error_body
from gateway.wire.session_reader import SessionReader

REALTIME: Final[Dialect] = "openai.realtime"

_NOTHING: Final = Raw(b"")
_TEXT: Final = frozenset(
    {
        "response.text.delta",
        "response.output_text.delta",
        "response.audio_transcript.delta",
        "response.output_audio_transcript.delta",
        "response.function_call_arguments.delta",
    }
)
_SOUND: Final = frozenset({"response.audio.delta", "response.output_audio.delta"})


class _InputDetails(Struct):
    cached_tokens: int | None = None
    audio_tokens: int | None = None


class _OutputDetails(Struct):
    audio_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_token_details: _InputDetails | None = None
    output_token_details: _OutputDetails | None = None


class _Response(Struct):
    usage: _Usage | None = None


class _Event(Struct):
    type: str = ""
    delta: Raw = _NOTHING
    response: Raw = _NOTHING


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_response = msgspec.json.Decoder(_Response).decode


class OpenAIRealtime:
    """A session over a WebSocket. The URL names the model; each message is one event in JSON."""

    name: Dialect = REALTIME
    capability: Capability = "realtime"
    keep_alive = b""
    """WebSockets have pings of their own."""

    def read(self, _body: bytes, given: Given = PLAIN, /) -> Head:
        """Read the model out of the URL."""
        if not given.model:
            raise InvalidRequest(
                "You must provide a model in the URL: /v1/realtime?model=MODEL.", param="model"
            )
        return Head(given.model, stream=True)

    def prepare(self, call: Call, model: str) -> bytes:  # noqa: ARG002 - it stands in the URL
        """Return nothing: a session has no body."""
        return b""

    def usage(self, body: bytes) -> Usage | None:  # noqa: ARG002 - whatever it is
        """Refuse an answer that is no session."""
        raise WireError("it answered where it should have opened a session")

    def estimate(self, call: Call, body: bytes) -> Usage:  # noqa: ARG002 - there is none
        """Nothing was said."""
        return Usage(estimated=True)

    def reader(self, call: Call) -> StreamReader:  # noqa: ARG002 - all sessions are alike
        """Make a reader of the provider's events."""
        return RealtimeReader()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error for a session that is refused."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error as a server event."""
        fields = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
        event_id = f"event_{(error.request_id or 'req_gateway').removeprefix('req_')}"
        return msgspec.json.encode(
            {"type": "error", "event_id": event_id, "error": {**fields, "event_id": None}}
        )


class RealtimeReader(SessionReader):
    """Sums up the usage of every response."""

    __slots__ = ()

    tokens_per_second = 20
    """One for each 50 ms."""

    def _note(self, message: bytes) -> None:
        event = _decode_event(message)
        kind = event.type
        if kind in _TEXT:
            self._characters += len(event.delta)
        elif kind in _SOUND:
            self._sound += len(event.delta)
        elif kind == "response.done":
            self._add(_told(event.response))


def _told(response: Raw) -> Usage | None:
    try:
        told = _decode_response(response).usage
    except UNREADABLE:
        return None
    return None if told is None else _usage(told)


def _usage(told: _Usage) -> Usage:
    given, made = told.input_token_details or _InputDetails(), told.output_token_details or _OutputDetails()
    return Usage(
        prompt_tokens=_count(told.input_tokens),
        completion_tokens=_count(told.output_tokens),
        cached_read_tokens=_count(given.cached_tokens),
        audio_prompt_tokens=_count(given.audio_tokens),
        audio_completion_tokens=_count(made.audio_tokens),
    )


def _count(told: int | None) -> int:
    return max(told or 0, 0)
