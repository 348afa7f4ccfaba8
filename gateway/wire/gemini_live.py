"""Gemini's Live API: sessions of messages in both directions, which pass untouched while their usage is read.

https://ai.google.dev/api/live
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.body import read_request
from gateway.wire.dialect import PLAIN, Given, Head, StreamReader, WireError
from gateway.wire.gemini_count_tokens import resource
from gateway.wire.gemini_errors import error_body
from gateway.wire.gemini_generate.shapes import NOTHING, ModalityCount, UsageMetadata, usage_of
from gateway.wire.session_reader import SessionReader

LIVE: Final[Dialect] = "gemini.live"
VERSIONS: Final = ("v1beta", "v1alpha", "v1")
"""Of the interface, the one that most clients speak first."""
VERSION_HEADER: Final = b"x-goog-api-version"
"""How a call tells its provider which version its client speaks."""


class _Setup(Struct):
    model: str


class _First(Struct):
    setup: _Setup | None = None


class _Blob(Struct):
    data: Raw = NOTHING


class _Part(Struct, rename="camel"):
    text: Raw = NOTHING
    inline_data: _Blob | None = None


class _Turn(Struct):
    parts: list[_Part] | None = None


class _Grounding(Struct, rename="camel"):
    web_search_queries: list[Raw] | None = None


class _Content(Struct, rename="camel"):
    model_turn: _Turn | None = None
    grounding_metadata: _Grounding | None = None
    turn_complete: bool = False


class _Usage(UsageMetadata, rename="camel"):
    response_token_count: int | None = None
    response_tokens_details: list[ModalityCount] | None = None


class _Message(Struct, rename="camel"):
    server_content: _Content | None = None
    tool_call: Raw = NOTHING
    usage_metadata: _Usage | None = None


_decode_first = msgspec.json.Decoder(_First).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_message = msgspec.json.Decoder(_Message).decode


def live_path(version: str) -> str:
    """Return where sessions are opened, at Google as here."""
    return f"/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"


class GeminiLive:
    """A session over a WebSocket. The client's first message is its setup, and names the model; all are JSON."""

    name: Dialect = LIVE
    capability: Capability = "realtime"
    keep_alive = b""
    """WebSockets have pings of their own."""

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read the model out of the setup."""
        setup = read_request(_decode_first, body).setup
        if setup is None:
            raise InvalidRequest("The first message must be a 'setup'.", param="setup")
        model = setup.model.removeprefix("models/")
        if not model:
            raise InvalidRequest("'setup.model' must name a model: models/MODEL.", param="setup.model")
        return Head(model, stream=True)

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model's name in the setup, where the provider calls it otherwise."""
        fields = _decode_fields(call.body)
        setup = _decode_fields(fields["setup"])
        name = Raw(msgspec.json.encode(resource(model)))
        if setup["model"] == name:
            return call.body
        return msgspec.json.encode(fields | {"setup": setup | {"model": name}})

    def usage(self, body: bytes) -> Usage | None:  # noqa: ARG002 - whatever it is
        """Refuse an answer that is no session."""
        raise WireError("it answered where it should have opened a session")

    def estimate(self, call: Call, body: bytes) -> Usage:  # noqa: ARG002 - there is none
        """Nothing was said."""
        return Usage(estimated=True)

    def reader(self, call: Call) -> StreamReader:  # noqa: ARG002 - all sessions are alike
        """Make a reader of the provider's messages."""
        return LiveReader()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error for a session that is refused over HTTP."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:  # noqa: ARG002 - whatever it is
        """Return nothing: errors are told by how a session is closed."""
        return b""


class LiveReader(SessionReader):
    """Sums up the usage that messages tell: each of a turn of its own, with all that came before as its prompt."""

    __slots__ = ("_searches",)

    tokens_per_second = 25

    def __init__(self) -> None:
        super().__init__()
        self._searches = 0
        """In the turn that is under way; what was searched for is told again and again."""

    def _note(self, message: bytes) -> None:
        told = _decode_message(message)
        content = told.server_content
        self._characters += len(told.tool_call)
        if content is not None:
            for part in (content.model_turn and content.model_turn.parts) or ():
                self._characters += len(part.text)
                self._sound += len(part.inline_data.data) if part.inline_data else 0
            queries = content.grounding_metadata and content.grounding_metadata.web_search_queries
            self._count(len(queries or ()))
            if content.turn_complete:
                self._searches = 0
        if told.usage_metadata is not None:
            self._add(_usage(told.usage_metadata))

    def _count(self, searches: int) -> None:
        if searches > self._searches:
            more = self._told.searches + searches - self._searches
            self._told, self._searches = replace(self._told, searches=more), searches


def _usage(told: _Usage) -> Usage | None:
    """Read usage, whose words for an answer are others than in chats."""
    if told.response_token_count is not None:
        told.candidates_token_count = told.response_token_count
        told.candidates_tokens_details = told.response_tokens_details
    if told.prompt_token_count is None and told.candidates_token_count is not None:
        told.prompt_token_count = 0
    return usage_of(told)
