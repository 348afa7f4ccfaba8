"""OpenAI transcriptions and translations as clients ask for them.

https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import multipart, sse, wav
from gateway.wire.body import UNREADABLE
from gateway.wire.dialect import PLAIN, Given, Head, StreamReader, WireError
from gateway.wire.estimate import estimated_tokens
from gateway.wire.media_usage import read_seconds, read_usage
from gateway.wire.model_field import with_model
from gateway.wire.named_events import NamedEvent, NamedEventsReader
from gateway.wire.openai_errors import error_body

BYTES_PER_SECOND: Final = 8000
"""Of compressed speech, to estimate how long a file lasts that does not tell: 64 kbit/s."""

_CUE_END: Final = re.compile(r"-->\s*(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{3})")
"""Where a subtitle ends, in SRT and WebVTT."""


class _Answer(Struct):
    usage: Any = None
    duration: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


class OpenAITranscriptions:
    """What is said in a recording: as JSON, text or subtitles, whole or streamed."""

    name: Dialect = "openai.transcriptions"
    capability: Capability = "transcription"
    keep_alive = b": keep-alive\n\n"

    def read(self, body: bytes, given: Given = PLAIN, /) -> Head:
        """Read model and stream; see that a recording is there."""
        form = multipart.parse(body, given.content_type)
        model = form.text("model")
        if not model:
            raise InvalidRequest("You must provide a model parameter.", param="model")
        if len(form.named("file")) != 1:
            raise InvalidRequest(
                "Missing required parameter: 'file'.", param="file", code="missing_required_parameter"
            )
        return Head(model, self.streams((form.text("stream") or "false").lower()))

    def streams(self, said: str) -> bool:
        """Read whether the answer is to be streamed."""
        if said not in {"true", "false"}:
            raise InvalidRequest(
                "Invalid 'stream': expected true or false.", param="stream", code="invalid_type"
            )
        return said == "true"

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model name where it differs."""
        return with_model(call, model)

    def usage(self, body: bytes) -> Usage | None:
        """Find tokens or seconds in an answer in JSON; text and subtitles tell neither."""
        if not body.lstrip().startswith(b"{"):
            return None
        try:
            answer = _decode_answer(body)
        except UNREADABLE as error:
            raise WireError(f"the answer is not valid JSON: {error}") from None
        seconds = read_seconds(answer.duration)
        said = read_usage(answer.usage)
        if said is not None and not said.seconds and seconds is not None:
            return msgspec.structs.replace(said, seconds=seconds)
        return said or (None if seconds is None else Usage(seconds=seconds))

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Estimate from the recording, from where the last subtitle ends, and from the text."""
        text = body.decode("utf-8", "replace")
        return _estimated(call, len(text), _last_cue(text))

    def reader(self, call: Call) -> StreamReader:
        """Make a reader for text as it is understood."""
        del call
        return TranscriptReader()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as OpenAI does."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error inside a stream: a data event with an `error` object, which OpenAI's SDKs raise."""
        return sse.event(error_body(error))


class OpenAITranslations(OpenAITranscriptions):
    """What is said in a recording, in English; never streamed."""

    name: Dialect = "openai.translations"

    def streams(self, said: str) -> bool:
        """A translation does not stream."""
        del said
        return False


class TranscriptReader(NamedEventsReader):
    """Follows a transcript as it grows."""

    def note(self, event: NamedEvent) -> None:
        """Count the text, and take note of the end."""
        if event.type == "transcript.text.delta" and isinstance(event.delta, str):
            self._characters += len(event.delta)
        elif event.type == "transcript.text.done":
            self.usage = read_usage(event.usage)
            self.finished = True

    def estimate(self, call: Call, /) -> Usage:
        """Estimate from the recording, and the text that has passed."""
        return _estimated(call, self._characters, None)


def _estimated(call: Call, characters: int, seconds: float | None) -> Usage:
    if seconds is None:
        form = multipart.parse(call.body, call.content_type)
        (file,) = form.named("file")
        recording = form.data(file)
        seconds = wav.seconds(recording)
        seconds = len(recording) / BYTES_PER_SECOND if seconds is None else seconds
    return Usage(completion_tokens=estimated_tokens(characters), seconds=seconds, estimated=True)


def _last_cue(text: str) -> float | None:
    """Return the seconds at which the last subtitle ends."""
    ends = [
        int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths) / 1000
        for hours, minutes, seconds, thousandths in _CUE_END.findall(text)
    ]
    return max(ends, default=None)
