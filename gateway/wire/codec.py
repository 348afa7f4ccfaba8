"""What a dialect must be able to do to be translated: decode to the canonical form, and encode from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

from gateway.errors import InvalidRequest
from gateway.types import Dialect, Usage
from gateway.wire.canonical import ChatAnswer, ChatRequest, Event
from gateway.wire.dialect import StreamReader

EVERYTHING: Final = frozenset({"*"})
"""Every parameter may be dropped."""

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")


class Losses:
    """Collects what a request says that the provider's dialect cannot say."""

    def __init__(
        self, provider: str, names: Mapping[str, str], *, may_drop: Collection[str] = frozenset()
    ) -> None:
        self._provider = provider
        self._names = names
        self._may_drop = may_drop
        self._refused: list[str] = []
        self.dropped: list[str] = []
        """What was left out with the operator's leave, in the client's words."""

    def cannot(self, field: str) -> None:
        """Note that a field cannot be expressed; calling it again with the same name does nothing.

        `field` is a field of the form's request (`top_k`), a part that may stand in a message (`messages.image`, `.audio`,
        `.video`, `.document`, `.refusal`, `.name`), `tools.strict`, `tools.custom`, `tools.TYPE` and `messages.TYPE` for what is
        foreign, `cache_control` for cache hints, `thinking` for earlier thoughts, or a name in `extra`.
        """
        name = self._names.get(field, field)
        may = self._may_drop is EVERYTHING or field in self._may_drop or name in self._may_drop
        where = self.dropped if may else self._refused
        if name not in where:
            where.append(name)

    def cannot_any(self, meant: Mapping[str, bool]) -> None:
        """Note each of these fields that the request gives a meaning to."""
        for field, has_meaning in meant.items():
            if has_meaning:
                self.cannot(field)

    def kept(self, extra: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
        """Return what in `extra` is the provider's `own`, to be passed on; note the rest."""
        for name in extra:
            if name not in own:
                self.cannot(name)
        return {name: value for name, value in extra.items() if name in own}

    def check(self) -> None:
        """Raise `InvalidRequest` naming every field that may not be dropped."""
        if self._refused:
            one = len(self._refused) == 1
            raise InvalidRequest(
                f"{_listed(self._refused)} cannot be expressed for the provider '{self._provider}'. "
                f"Leave {'it' if one else 'them'} out, choose another model, or let the operator add "
                f"{'it' if one else 'them'} to drop_params.",
                param=self._refused[0],
                code="unsupported_parameter",
            )


class Codec(Protocol[RequestT, AnswerT]):
    """One dialect of one form: `RequestT` and `AnswerT` are the form's request and answer."""

    dialect: Dialect
    names: Mapping[str, str]
    """What the dialect calls the fields of the canonical form, where the names differ: `max_tokens` → `max_completion_tokens`."""
    content_type: str
    """Of the requests it encodes."""

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> RequestT:
        """Read a client's request. `model` and `stream` are what the gateway read before, perhaps from the path.

        Raises `InvalidRequest` naming the field at fault.
        """
        ...

    def encode_request(self, request: RequestT, model: str, losses: Losses) -> bytes:
        """Write a request for the provider's model; what cannot be said is left out and told to `losses`."""
        ...

    def decode_answer(self, body: bytes) -> AnswerT:
        """Read a provider's whole answer. Raises `WireError` when it is no such answer."""
        ...

    def encode_answer(self, answer: AnswerT, request: RequestT) -> bytes:
        """Write a whole answer for the client."""
        ...

    def usage(self, answer: AnswerT, request: RequestT) -> Usage:
        """Tell what was used: as the provider says, or estimated."""
        ...


@runtime_checkable
class Sounds(Protocol):
    """A client's codec whose answers are a sound, which is always streamed."""

    def answer_type(self, request: Any, /) -> bytes:
        """Name the content type of what is written."""
        ...

    def reader(self, decoder: EventDecoder, request: Any, /) -> StreamReader:
        """Make a reader that hands on what a provider says aloud."""
        ...


class EventDecoder(Protocol):
    """Reads a provider's stream, cut anywhere."""

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Take bytes as they came; return the events that are whole now.

        Events that came whole before something malformed, or before the provider's own error, are returned first:
        the failure is kept in `failure`, and nothing more is fed.
        """
        ...

    failure: Exception | None
    """A `WireError` or `StreamFailed`."""

    def end(self) -> Sequence[Event]:
        """Note that the stream is over; return what remains, `End` at the last. Raises `StreamCut` when the answer is not whole."""
        ...


class EventEncoder(Protocol):
    """Writes a stream for the client. Never emits an event that the dialect's own grammar does not allow at that point."""

    def encode(self, events: Sequence[Event]) -> bytes:
        """Write events; perhaps nothing yet. `End` writes all that is still owed, and the dialect's last word."""
        ...


class ChatCodec(Codec[ChatRequest, ChatAnswer], Protocol):
    """A dialect for chat, which also streams."""

    takes_n: bool
    """Whether it can ask for several choices in one request."""

    def decoder(self) -> EventDecoder:
        """Make a reader for one stream of a provider."""
        ...

    def encoder(self, request: ChatRequest) -> EventEncoder:
        """Make a writer for one stream to the client who asked this."""
        ...


def _listed(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
