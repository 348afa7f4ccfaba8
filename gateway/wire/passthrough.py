"""Requests for a provider's own paths: bytes of which the gateway knows nothing, and changes nothing."""

from __future__ import annotations

from typing import Final

from gateway.errors import GatewayError
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.dialect import PLAIN, Given, Head, StreamFailed, StreamReader, WireError
from gateway.wire.openai_errors import error_body

PASSTHROUGH: Final[Dialect] = "passthrough"


class Passthrough:
    """Whatever goes to a path that the operator has declared. It is counted, but has no usage."""

    name: Dialect = PASSTHROUGH
    capability: Capability = "passthrough"
    keep_alive = b""
    """Nothing can be put between bytes of an unknown kind."""

    def read(self, _body: bytes, given: Given = PLAIN, /) -> Head:
        """Read nothing: the declared path stands for the model."""
        return Head(given.model)

    def prepare(self, call: Call, model: str) -> bytes:  # noqa: ARG002 - there is no model to swap
        """Return the client's bytes."""
        return call.body

    def usage(self, body: bytes) -> Usage | None:  # noqa: ARG002 - its kind is unknown
        """Nothing can be known of it."""
        return None

    def estimate(self, call: Call, body: bytes) -> Usage:  # noqa: ARG002 - their kind is unknown
        """Nothing can be known of it."""
        return Usage()

    def reader(self, call: Call) -> StreamReader:  # noqa: ARG002 - all are alike
        """Make a reader that hands on what comes."""
        return BytesReader()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as OpenAI does."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:  # noqa: ARG002 - there is no place for it
        """Say nothing within an answer of an unknown kind: it is only cut."""
        return b""


class BytesReader:
    """Hands on bytes; whether they are whole, only the connection knows."""

    __slots__ = ("began", "failure", "finished", "usage")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.began = False
        self.finished = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Hand on what came."""
        self.began = True
        return chunk

    def end(self) -> bytes:
        """Take the end of the connection for the end of the answer, which may well be empty."""
        self.finished = True
        return b""

    def estimate(self, _call: Call, /) -> Usage:
        """Nothing can be known of it."""
        return Usage()
