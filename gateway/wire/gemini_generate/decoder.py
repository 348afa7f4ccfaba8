"""Gemini's stream, to events: server-sent events, each an answer in small. There is no end mark; the reason to stop is the last word."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.types import Usage
from gateway.wire import sse
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    CitationDelta,
    End,
    Event,
    ForeignEvent,
    LogprobsDelta,
    MediaDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.dialect import StreamCut, StreamFailed, WireError
from gateway.wire.gemini_errors import failure_in, raise_failure
from gateway.wire.gemini_generate.answer import arguments, call_id, read_logprobs
from gateway.wire.gemini_generate.citations import QUERIES, read_citations, searches, words_of
from gateway.wire.gemini_generate.shapes import (
    DIALECT,
    Candidate,
    Part,
    Response,
    stop_reason,
    usage_of,
    with_searches,
)
from gateway.wire.gemini_generate.signatures import of_call, standard

_decode = msgspec.json.Decoder(Response).decode


class GeminiDecoder:
    """Reads one stream of a provider."""

    def __init__(self) -> None:
        self._events = sse.EventSplitter()
        self._response_id: str | None = None
        self._started = False
        self._parts: dict[int, list[list[str] | None]] = {}
        """By choice: the pieces of each text, and None for what stands between two."""
        self._calls: dict[int, int] = {}
        self._stopped: set[int] = set()
        self._queries: dict[int, list[str]] = {}
        self._usage: Usage | None = None
        self.failure: Exception | None = None

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Take bytes as they came; return the events that are whole now."""
        found: list[Event] = []
        try:
            data = self._events.feed(chunk)
            if data:
                for event in data[:-2].split(b"\n\n"):
                    self._event(event, found)
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        return found

    def end(self) -> Sequence[Event]:
        """Return what remains. Raises `StreamCut` when some choice has no end, `StreamFailed` for an error at the last."""
        rest = self._events.rest.strip()
        if rest:
            failure = failure_in(sse.payload(rest) or rest)
            raise failure or StreamCut
        if not self._stopped or self._parts.keys() - self._stopped or self._calls.keys() - self._stopped:
            raise StreamCut
        usage = with_searches(self._usage, sum(map(len, self._queries.values())))
        report = [UsageReport(usage)] if usage is not None else []
        return [*report, End()]

    def _event(self, event: bytes, found: list[Event]) -> None:
        payload = sse.payload(event)
        if not payload:
            raise_failure(event)  # some errors come as bare JSON in the midst of the events
            return
        try:
            response = _decode(payload)
        except UNREADABLE as error:
            raise WireError(f"a streamed event is not what Gemini sends: {error}") from None
        if len(response.error):
            raise_failure(payload)
        if not self._started:
            self._started = True
            self._response_id = response.response_id
            found.append(Start(response.response_id or "", response.model_version or ""))
        if response.usage_metadata is not None:
            self._usage = usage_of(response.usage_metadata) or self._usage
        for candidate in response.candidates or ():
            self._candidate(candidate, found)
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason and not response.candidates:
            self._stopped.add(0)
            found.append(Stop("content_filter", safety=feedback.safety_ratings))

    def _candidate(self, candidate: Candidate, found: list[Event]) -> None:
        choice = candidate.index
        content = candidate.content
        if content is not None and content.parts:
            self._content(content.parts, choice, found)
        if candidate.logprobs_result is not None:
            tokens = read_logprobs(candidate.logprobs_result)
            if tokens:
                found.append(LogprobsDelta(tokens, choice))
        if candidate.grounding_metadata is not None or candidate.citation_metadata is not None:
            self._cite(candidate, found)
            self._note_searches(candidate, found)
        if candidate.finish_reason and choice not in self._stopped:
            self._stopped.add(choice)
            reason = stop_reason(candidate.finish_reason, calls=choice in self._calls)
            found.append(Stop(reason, choice, safety=candidate.safety_ratings))

    def _content(self, content: Sequence[Part], choice: int, found: list[Event]) -> None:
        parts = self._parts.get(choice)
        if parts is None:
            parts = self._parts[choice] = []
        for part in content:
            if part.text and not part.thought:
                if parts and (pieces := parts[-1]) is not None:
                    pieces.append(part.text)
                else:
                    parts.append([part.text])
                found.append(TextDelta(part.text, choice, part.thought_signature))
            else:
                if words_of(part) is None:
                    parts.append(None)
                self._part(part, choice, found)

    def _cite(self, candidate: Candidate, found: list[Event]) -> None:
        parts = [
            None if pieces is None else "".join(pieces) for pieces in self._parts.get(candidate.index, ())
        ]
        starts = [0]
        for text in parts:
            if text is not None:
                starts.append(starts[-1] + len(text))
        for number, citation in read_citations(candidate, parts):
            found.append(CitationDelta(citation.moved(starts[number]), candidate.index))

    def _note_searches(self, candidate: Candidate, found: list[Event]) -> None:
        """Tell of searches once, however often they are told of."""
        told = self._queries.setdefault(candidate.index, [])
        new = [query for query in searches(candidate) if query not in told]
        if new:
            told += new
            found.append(ForeignEvent(DIALECT, {QUERIES: new}))

    def _part(self, part: Part, choice: int, found: list[Event]) -> None:
        signature = of_call(part.thought_signature)
        if part.function_call is not None:
            call = part.function_call
            number = self._calls.get(choice, 0)
            self._calls[choice] = number + 1
            made = call_id(call, self._response_id, number)
            found.append(ToolCallStart(number, made, call.name or "function", choice, signature=signature))
            found.append(ToolCallDelta(number, arguments(call), choice))
        elif part.thought:
            if part.text:
                found.append(ThinkingDelta(part.text, choice))
            if signature:
                found.append(ThinkingEnd(choice, signature, origin=DIALECT))
        elif (code := part.of_code()) is not None:
            found.append(ForeignEvent(DIALECT, code))
        elif part.inline_data is not None:
            blob = part.inline_data
            data = standard(blob.data or "")
            kind = blob.mime_type or "application/octet-stream"
            found.append(MediaDelta(kind, data, choice, signature))
        elif signature:
            found.append(TextDelta("", choice, signature))
