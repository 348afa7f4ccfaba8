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
from gateway.wire.dialect import PLAIN, Given, Head, StreamFailed, StreamReader, WireError
from gateway.wire.estimate import estimated_tokens
from gateway.wire.openai_errors import error_body

REALTIME: Final[Dialect] = "openai.realtime"

_TOKENS_PER_SECOND: Final = 20
"""Of speech that a model makes: one for each 50 ms."""
_BYTES_PER_SECOND: Final = 48_000
"""Of sound in 16 bit at 24 kHz, the usual format."""
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


class RealtimeReader:
    """Sums up the usage of every response. Takes whole messages, one at a time."""

    __slots__ = ("_characters", "_sound", "_told", "began", "failure", "finished", "usage")

    def __init__(self) -> None:
        self._told = Usage()
        self._characters = 0
        """Of text in the response that is under way."""
        self._sound = 0
        """Base64 of sound in it."""
        self.usage: Usage | None = None
        """Not told before the end, for a session has many responses: see `estimate`."""
        self.began = False
        self.finished = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take a message."""
        self.began = True
        try:
            event = _decode_event(chunk)
        except msgspec.ValidationError:
            if chunk.lstrip().startswith(b"{"):
                return chunk  # an object of a shape we do not know: the client may
            self.failure = WireError("a message is not a JSON object")
            return b""
        except UNREADABLE as error:
            self.failure = WireError(f"a message is not valid JSON: {error}")
            return b""
        kind = event.type
        if kind in _TEXT:
            self._characters += len(event.delta)
        elif kind in _SOUND:
            self._sound += len(event.delta)
        elif kind == "response.done":
            self._add(event.response)
        return chunk

    def end(self) -> bytes:
        """Take the end of the session as it comes: either side may close it at any time."""
        self.finished = True
        return b""

    def estimate(self, _call: Call, /) -> Usage:
        """Sum up what was told, and estimate what was made of a response that is not done."""
        return _sum(self._told, self._unfinished()) if self._characters or self._sound else self._told

    def _add(self, response: Raw) -> None:
        try:
            told = _decode_response(response).usage
        except UNREADABLE:
            told = None
        usage = self._unfinished() if told is None else _usage(told)
        self._told = _sum(self._told, usage)
        self._characters = self._sound = 0

    def _unfinished(self) -> Usage:
        seconds = self._sound * 3 / 4 / _BYTES_PER_SECOND
        sound = round(seconds * _TOKENS_PER_SECOND)
        return Usage(
            completion_tokens=estimated_tokens(self._characters) + sound,
            audio_completion_tokens=sound,
            estimated=True,
        )


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


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        cached_read_tokens=one.cached_read_tokens + other.cached_read_tokens,
        audio_prompt_tokens=one.audio_prompt_tokens + other.audio_prompt_tokens,
        audio_completion_tokens=one.audio_completion_tokens + other.audio_completion_tokens,
        estimated=one.estimated or other.estimated,
    )
