"""How one call is put to one provider, and the answer to the client: as it is, or translated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, cast

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import InvalidRequest
from gateway.types import Call, Usage
from gateway.wire.canonical import (
    ChatRequest,
    End,
    Event,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    UsageReport,
)
from gateway.wire.codec import ChatCodec, Codec, EventDecoder, EventEncoder, Losses, Sounds
from gateway.wire.dialect import StreamFailed, StreamReader, Wire, WireError
from gateway.wire.estimate import estimated_tokens, prompt_tokens
from gateway.wire.fanned import MOST, FannedReader, added, merged


class Exchange(Protocol):
    """One call and one provider's dialect."""

    dropped: Sequence[str]
    """Parameters that were left out with the operator's leave; known once `prepare` has run."""
    content_type: str
    """Of the body that `prepare` makes."""
    answer_type: bytes | None
    """Content type of the answer, where it is another than the provider's."""

    copies: int
    """How often the request must be sent: more than once where each of several answers needs a request of its own."""

    def prepare(self, model: str) -> bytes:
        """Make the body to send upstream. Raises `InvalidRequest` naming what the provider cannot be told."""
        ...

    def whole(self, body: bytes) -> tuple[bytes, Usage]:
        """Turn a whole answer into the client's, and tell what was used. Raises `WireError` when it is no such answer."""
        ...

    def reader(self) -> StreamReader:
        """Make a reader whose output is the client's."""
        ...

    def whole_of(self, bodies: Sequence[bytes]) -> tuple[bytes, Usage]:
        """Turn the answers of all copies into one."""
        ...

    def reader_of(self, speaking: Callable[[], int], /) -> StreamReader:
        """Make a reader for the streams of all copies; `speaking` tells which of them the next chunk belongs to."""
        ...


class Same(Struct):
    """The provider speaks the client's dialect: bytes pass untouched."""

    _wire: Wire
    _call: Call
    content_type: str
    dropped: Sequence[str] = ()
    answer_type: bytes | None = None
    copies: int = 1

    def prepare(self, model: str) -> bytes:
        """Swap the model's name where it differs."""
        return self._wire.prepare(self._call, model)

    def whole(self, body: bytes) -> tuple[bytes, Usage]:
        """Read the usage."""
        usage = self._wire.usage(body)
        if usage is None or not usage.is_credible():
            usage = self._wire.estimate(self._call, body)
        return body, usage

    def reader(self) -> StreamReader:
        """Read along."""
        return self._wire.reader(self._call)

    def whole_of(self, bodies: Sequence[bytes]) -> tuple[bytes, Usage]:
        """Take the only one."""
        return self.whole(bodies[0])

    def reader_of(self, _speaking: Callable[[], int], /) -> StreamReader:
        """Read the only one."""
        return self.reader()


class Translated:
    """The provider speaks another dialect of the same form: everything goes through the canonical form."""

    def __init__(
        self,
        client: Codec[Any, Any],
        provider: Codec[Any, Any],
        call: Call,
        *,
        provider_name: str,
        may_drop: Collection[str],
    ) -> None:
        self._client = client
        self._provider = provider
        self._request: Any = client.decode_request(call.body, model=call.model, stream=call.stream)
        self.copies = self._copies(provider)
        self._losses = Losses(provider_name, client.names, may_drop=may_drop)
        self.dropped: Sequence[str] = self._losses.dropped
        self.content_type = provider.content_type
        self._sounds = client if isinstance(client, Sounds) else None
        self.answer_type: bytes | None = self._sounds.answer_type(self._request) if self._sounds else None

    def prepare(self, model: str) -> bytes:
        """Encode the request in the provider's dialect."""
        request = self._request if self.copies == 1 else replace(self._request, n=None)
        body = self._provider.encode_request(request, model, self._losses)
        self._losses.check()
        return body

    def whole(self, body: bytes) -> tuple[bytes, Usage]:
        """Decode the provider's answer and encode it for the client."""
        answer = self._provider.decode_answer(body)
        usage = self._usage(answer)
        return self._client.encode_answer(answer, self._request), usage

    def reader(self) -> StreamReader:
        """Translate event by event."""
        client, provider = cast("ChatCodec", self._client), cast("ChatCodec", self._provider)
        if self._sounds is not None:
            return self._sounds.reader(provider.decoder(), self._request)
        prompt = prompt_tokens(self._request)
        return TranslatingReader(provider.decoder(), client.encoder(self._request), prompt)

    def whole_of(self, bodies: Sequence[bytes]) -> tuple[bytes, Usage]:
        """Put the choices of all answers into one."""
        answers = [self._provider.decode_answer(body) for body in bodies]
        usage = added([self._usage(answer) for answer in answers])
        return self._client.encode_answer(merged(answers), self._request), usage

    def reader_of(self, speaking: Callable[[], int], /) -> StreamReader:
        """Translate the events of all streams into one."""
        client, provider = cast("ChatCodec", self._client), cast("ChatCodec", self._provider)
        decoders = [provider.decoder() for _ in range(self.copies)]
        prompt = prompt_tokens(self._request)
        return FannedReader(decoders, client.encoder(self._request), prompt=prompt, speaking=speaking)

    def _usage(self, answer: Any) -> Usage:
        """What the provider said, where that can be true."""
        usage = self._provider.usage(answer, self._request)
        return (
            usage if usage.is_credible() else self._provider.usage(replace(answer, usage=None), self._request)
        )

    def _copies(self, provider: Codec[Any, Any]) -> int:
        request = self._request
        copies = (request.n or 1) if isinstance(request, ChatRequest) else 1
        if copies == 1 or cast("ChatCodec", provider).takes_n:
            return 1
        if copies > MOST:
            name = self._client.names.get("n", "n")
            raise InvalidRequest(
                f"'{name}' may be at most {MOST} for this model: each of the answers is a request of its own.",
                param=name,
            )
        return copies


class TranslatingReader:
    """Reads a provider's stream, and writes the client's."""

    __slots__ = ("_characters", "_decoder", "_encoder", "_prompt", "began", "failure", "finished", "usage")

    def __init__(self, decoder: EventDecoder, encoder: EventEncoder, prompt: int) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._prompt = prompt
        self._characters = 0
        self.usage: Usage | None = None
        self.began = False
        self.finished = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Decode, take note, encode."""
        events = self._decoder.feed(chunk)
        failure = self._decoder.failure
        if failure is not None:
            self.failure = cast("WireError | StreamFailed", failure)
        return self._write(events)

    def end(self) -> bytes:
        """Write what is still owed to the client. Raises `StreamCut` when the answer is not whole."""
        return b"" if self.finished else self._write(self._decoder.end())

    def estimate(self, _call: Call, /) -> Usage:
        """Estimate from the text of the request and the characters that passed."""
        return Usage(
            prompt_tokens=self._prompt, completion_tokens=estimated_tokens(self._characters), estimated=True
        )

    def _write(self, events: Sequence[Event]) -> bytes:
        if not events:
            return b""
        self.began = True
        for event in events:
            kind = type(event)
            if kind is TextDelta or kind is ThinkingDelta:
                self._characters += len(cast("TextDelta", event).text)
            elif kind is ToolCallDelta:
                self._characters += len(cast("ToolCallDelta", event).arguments)
            elif kind is UsageReport:
                self.usage = cast("UsageReport", event).usage
            elif kind is End:
                self.finished = True
        return self._encoder.encode(events)
