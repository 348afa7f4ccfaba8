"""What a dialect must be able to do."""

from __future__ import annotations

from typing import Final, Protocol

from msgspec import Struct

from gateway.errors import GatewayError
from gateway.types import Call, Capability, Dialect, Usage


class WireError(ValueError):
    """Bytes from a provider that are not what its dialect allows. The message is fit for a client."""


class Head(Struct, frozen=True):
    """The few fields of a request that the gateway itself needs."""

    model: str
    stream: bool = False
    shows_usage: bool = True


class Given(Struct, frozen=True):
    """What a request says outside of its body."""

    model: str = ""
    """In the path, where the dialect has it there."""
    stream: bool = False
    content_type: str = "application/json"
    provider: str | None = None
    """In the path, where the client asks for one."""


PLAIN: Final = Given()
"""A JSON body that says everything itself."""


class StreamReader(Protocol):
    """Reads one streamed answer while it passes through."""

    usage: Usage | None
    began: bool
    """The provider said something: an event, not only a comment."""
    finished: bool
    """The provider said that it is done; nothing of value follows."""

    failure: WireError | StreamFailed | None
    """What was wrong with the last bytes fed: a malformed event, or an error the provider put into its stream."""

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes as they came; return what the client may see now, in whole events (perhaps nothing).

        What came before a `failure` is returned all the same; after one, nothing more is to be fed.
        """
        ...

    def end(self) -> bytes:
        """Note that the provider's stream is over; return what the client is still owed.

        Raises `StreamCut` when the answer is not whole.
        """
        ...

    def estimate(self, call: Call, /) -> Usage:
        """Estimate usage from what has passed so far, for a provider that did not say."""
        ...


class Wire(Protocol):
    """One wire format, both directions."""

    name: Dialect
    capability: Capability
    keep_alive: bytes
    """What may be sent between events to show that the stream is alive."""

    def read(self, body: bytes, given: Given = PLAIN, /) -> Head:
        """Read the head of a client's request. Raises `InvalidRequest` naming the field at fault."""
        ...

    def prepare(self, call: Call, model: str) -> bytes:
        """Make the body to send upstream: the client's own bytes wherever they need no change."""
        ...

    def usage(self, body: bytes) -> Usage | None:
        """Find usage in a whole answer; None when it has none. Raises `WireError` when it is no such answer."""
        ...

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Estimate usage of a whole answer, for a provider that did not say."""
        ...

    def reader(self, call: Call) -> StreamReader:
        """Make a reader for one streamed answer."""
        ...

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as this dialect's JSON body."""
        ...

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error as an event inside a stream that has begun."""
        ...


class StreamCut(WireError):
    """The stream ended before the answer was whole, however politely the connection was closed."""

    def __init__(self) -> None:
        super().__init__("the answer broke off before it was complete")


class StreamFailed(Exception):
    """The provider reported an error inside its stream."""

    def __init__(
        self,
        message: str,
        *,
        type: str | None,
        code: str | None,
        status: int | None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.type = type
        self.code = code
        self.status = status
