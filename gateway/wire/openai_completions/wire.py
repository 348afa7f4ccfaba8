"""OpenAI's legacy completions. https://platform.openai.com/docs/api-reference/completions."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import sse
from gateway.wire.body import UNREADABLE, read_request
from gateway.wire.dialect import PLAIN, Given, Head, StreamFailed, StreamReader, WireError
from gateway.wire.estimate import estimated_tokens, text_length
from gateway.wire.openai_chat.wire import OpenAIChat


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Request(Struct):
    model: str
    prompt: str | list[Any]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


class _Choice(Struct):
    text: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class OpenAICompletions(OpenAIChat):
    """Completions, whole and streamed. Usage, errors and the end of a stream are those of chat completions."""

    name: Dialect = "openai.completions"
    capability: Capability = "completion"

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read model, stream and whether usage is to be shown."""
        request = read_request(_decode_request, body)
        if not request.model:
            raise InvalidRequest("You must provide a model parameter.", param="model")
        options = request.stream_options
        shows_usage = options is not None and bool(options.include_usage)
        return Head(request.model, bool(request.stream), shows_usage)

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Estimate from the text of the request and of the answer."""
        return _estimate(call, text_length(body, "choices"))

    def reader(self, call: Call) -> StreamReader:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Make a reader that hides the usage event from clients that did not ask for it."""
        return CompletionReader(super().reader(call))


class CompletionReader:
    """Follows a stream of completions as one of chat completions is followed, and counts their text."""

    __slots__ = ("_characters", "_reader", "began", "failure", "finished", "usage")

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader
        self._characters = 0
        self.usage: Usage | None = None
        self.began = False
        self.finished = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Return what the client may see."""
        reader = self._reader
        shown = reader.feed(chunk)
        for event in shown.split(b"\n\n"):
            self._characters += _text_length(sse.payload(event))
        self.usage, self.began, self.finished = reader.usage, reader.began, reader.finished
        self.failure = reader.failure
        return shown

    def end(self) -> bytes:
        """Note that the stream is over. Raises `StreamCut` when the answer is not whole."""
        return self._reader.end()

    def estimate(self, call: Call, /) -> Usage:
        """Estimate from the text of the request and the text that passed."""
        return _estimate(call, self._characters)


def _text_length(payload: bytes) -> int:
    try:
        chunk = _decode_chunk(payload)
    except UNREADABLE:
        return 0  # a comment, the end, or a shape that only the client knows
    return sum(len(choice.text or "") for choice in chunk.choices or ())


def _estimate(call: Call, characters: int) -> Usage:
    return Usage(
        prompt_tokens=estimated_tokens(text_length(call.body, "prompt")),
        completion_tokens=estimated_tokens(characters),
        estimated=True,
    )
