"""Gemini's generateContent and streamGenerateContent, where both sides speak them. https://ai.google.dev/api/generate-content."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import sse
from gateway.wire.body import UNREADABLE, read_answer, read_request, refuse_unless_unusual
from gateway.wire.dialect import PLAIN, Given, Head, StreamCut
from gateway.wire.estimate import estimated_tokens, text_length
from gateway.wire.gemini_errors import error_body, failure_in, raise_failure
from gateway.wire.gemini_generate.citations import searches_in
from gateway.wire.gemini_generate.shapes import DIALECT, NOTHING, UsageMetadata, usage_of, with_searches
from gateway.wire.gemini_generate.signatures import own_thoughts_only
from gateway.wire.untouched import UntouchedReader

_NAMES_MODEL: Final = re.compile(rb'"model"\s*:')


class _Request(Struct):
    contents: list[Raw]


class _Config(Struct):
    candidateCount: int | None = None  # noqa: N815 - the wire's own name
    candidate_count: int | None = None


class _Asked(Struct):
    generationConfig: _Config | None = None  # noqa: N815 - the wire's own name
    generation_config: _Config | None = None


class _Answer(Struct, rename="camel"):
    usage_metadata: UsageMetadata | None = None


class _Candidate(Struct, rename="camel", gc=False):
    index: int = 0
    content: Raw = NOTHING
    finish_reason: str | None = None


class _Feedback(Struct, rename="camel"):
    block_reason: str | None = None


class _Event(Struct, rename="camel", gc=False):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: UsageMetadata | None = None
    error: Raw = NOTHING


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_asked = msgspec.json.Decoder(_Asked).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class GeminiGenerate:
    """Contents generated, whole and streamed. Model and streaming stand in the path."""

    name: Dialect = DIALECT
    capability: Capability = "chat"
    # Google's SDK for Python takes any line that is neither data nor empty for JSON, comments too.
    keep_alive = b"\n"

    def read(self, body: bytes, given: Given = PLAIN, /) -> Head:
        """Check that there are contents."""
        if not given.model:
            raise InvalidRequest(
                "The path names no model: /v1beta/models/MODEL:generateContent.", param="model"
            )
        if not read_request(_decode_request, body).contents:
            raise InvalidRequest("'contents' must hold at least one content.", param="contents")
        return Head(given.model, given.stream)

    def prepare(self, call: Call, model: str) -> bytes:  # noqa: ARG002 - the path upstream names it
        """Return the client's own bytes, without another model than that of the path and thoughts of other providers."""
        body = own_thoughts_only(call.body)
        if _NAMES_MODEL.search(body):
            fields = _decode_fields(body)
            if fields.pop("model", None) is not None:
                return msgspec.json.encode(fields)
        return body

    def usage(self, body: bytes) -> Usage | None:
        """Find usage in a whole answer."""
        answer = read_answer(_decode_answer, body)
        return with_searches(usage_of(answer.usage_metadata), searches_in(body)) if answer else None

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Estimate from the text of the request and of the answer."""
        return _estimate(call, text_length(body, "candidates"))

    def reader(self, call: Call) -> GeminiReader:
        """Make a reader; usage is never hidden, for Gemini always tells it."""
        return GeminiReader(call.body)

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as Google does."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error inside a stream: a data event with an `error` object."""
        return sse.event(error_body(error))


class GeminiReader(UntouchedReader):
    """Follows a stream of answers in small, all of which may be seen by the client."""

    __slots__ = ("_begun", "_expected", "_request", "_searches", "_stopped")

    def __init__(self, request: bytes) -> None:
        super().__init__()
        self._request = request
        self._begun: set[int] = set()
        self._stopped: set[int] = set()
        self._expected = 0
        self._searches = 0

    def end(self) -> bytes:
        """Accept an end after each candidate has told its reason to stop."""
        rest = self._events.rest.strip()
        if rest:
            raise failure_in(sse.payload(rest) or rest) or StreamCut()
        if not self._stopped or self._begun - self._stopped:
            raise StreamCut
        return b""

    def estimate(self, call: Call) -> Usage:
        """Estimate from the text of the request and the characters that passed."""
        return _estimate(call, self._characters)

    def _note_other(self, event: bytes) -> bool:
        raise_failure(event)  # some errors come as bare JSON in the midst of the events
        return True

    def _note(self, payload: bytes) -> bool:
        self.began = True
        try:
            told = _decode_event(payload)
        except UNREADABLE as error:
            refuse_unless_unusual(payload, error)
            return True
        if len(told.error):
            raise_failure(payload)
        if told.usage_metadata is not None:
            self.usage = usage_of(told.usage_metadata) or self.usage
        searches = searches_in(payload)
        if searches or self._searches:
            self._searches = max(self._searches, searches)
            self.usage = with_searches(self.usage, self._searches)
        self._follow(told)
        return True

    def _follow(self, told: _Event) -> None:
        """Note how far each candidate has come."""
        for candidate in told.candidates or ():
            self._begun.add(candidate.index)
            self._characters += len(candidate.content)
            if candidate.finish_reason is not None:
                self._stopped.add(candidate.index)
        if told.prompt_feedback is not None and told.prompt_feedback.block_reason:
            self._stopped.add(0)
        if self._stopped and self.usage is not None:
            self.finished = len(self._stopped) >= (self._expected or self._ask())

    def _ask(self) -> int:
        """Find out how many candidates were asked for, once the first of them is complete."""
        try:
            asked = _decode_asked(self._request)
        except UNREADABLE:
            asked = _Asked()
        config = asked.generationConfig or asked.generation_config or _Config()
        self._expected = config.candidateCount or config.candidate_count or 1
        return self._expected


def _estimate(call: Call, characters: int) -> Usage:
    return Usage(
        prompt_tokens=estimated_tokens(text_length(call.body, "contents")),
        completion_tokens=estimated_tokens(characters),
        estimated=True,
    )
