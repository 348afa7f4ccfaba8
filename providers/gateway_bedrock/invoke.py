"""InvokeModel for Anthropic's own dialect: what its bodies and streams need on Bedrock.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
"""

from __future__ import annotations

import binascii
from collections.abc import AsyncIterator

import msgspec
from msgspec import Raw, Struct

from gateway.errors import ProviderError
from gateway.provider import Failures
from gateway.wire.aws_event_stream import Frame, FrameReader
from gateway.wire.bedrock_converse.stream import stream_failure
from gateway.wire.body import UNREADABLE

_VERSION = Raw(b'"bedrock-2023-05-31"')
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class _Chunk(Struct):
    """The payload of a frame: an event in base64."""

    bytes: str


class _Typed(Struct):
    type: str


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_type = msgspec.json.Decoder(_Typed).decode


def anthropic_body(body: bytes) -> bytes:
    """Return a request for Anthropic as InvokeModel takes it: model and stream stand in the path."""
    fields = _decode_fields(body)
    fields.pop("model", None)
    fields.pop("stream", None)
    fields.setdefault("anthropic_version", _VERSION)
    return msgspec.json.encode(fields)


class EventsOfFrames:
    """Turns the frames of a streamed answer into the server-sent events that are packed in them."""

    __slots__ = ("_error", "_failures", "_frames", "_name", "_next")

    def __init__(self, stream: AsyncIterator[bytes], name: str, failures: Failures) -> None:
        self._next = stream.__anext__
        self._frames = FrameReader()
        self._name = name
        self._failures = failures
        self._error: ProviderError | None = None

    def __aiter__(self) -> EventsOfFrames:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._error is not None:  # what came before it has been handed on
                raise self._error
            events = self._events(await self._next())
            if events:
                return events

    def _events(self, chunk: bytes) -> bytes:
        events: list[bytes] = []
        try:
            for frame in self._frames.feed(chunk):
                if frame.headers.get(":event-type") == "chunk":
                    events.append(_event(frame.payload))
                elif frame.headers.get(":message-type") in {"exception", "error"}:
                    self._error = self._failed(frame)
                    break
        except (*UNREADABLE, binascii.Error) as error:
            self._error = self._failures.unusable(f"a streamed event that cannot be read: {error}")
        if self._error is None and self._frames.failure is not None:
            self._error = self._failures.unusable(f"a stream that cannot be read: {self._frames.failure}")
        return b"".join(events)

    def _failed(self, frame: Frame) -> ProviderError:
        failed = stream_failure(frame)
        return ProviderError(
            self._failures.scrub(failed.message),
            provider=self._name,
            status=failed.status,
            code=failed.code,
            can_fall_back=failed.status != 400,  # noqa: PLR2004 - another target would say the same of a bad request
        )


def _event(payload: bytes) -> bytes:
    data = binascii.a2b_base64(_decode_chunk(payload).bytes)
    return b"event: %b\ndata: %b\n\n" % (_decode_type(data).type.encode(), data)
