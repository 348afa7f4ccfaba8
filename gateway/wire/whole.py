"""What dialects have in common whose answers are never streamed."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call
from gateway.wire.dialect import StreamReader


class WholeAnswers(ABC):
    """Base class of such a dialect; an error is always a body of its own."""

    keep_alive = b""

    def reader(self, call: Call) -> StreamReader:
        """Raise `InvalidRequest`: there is nothing to follow."""
        raise InvalidRequest(f"{call.capability} calls cannot be streamed.", param="stream")

    @abstractmethod
    def error(self, error: GatewayError) -> bytes:
        """Shape an error as this dialect's JSON body."""

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error as that body, too."""
        return self.error(error)
