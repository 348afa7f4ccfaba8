"""HTTP/1.1 as uvicorn speaks it, but heads are bounded, refusals are JSON, and answers leave in one write."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.cli.cycle import Cycle
from gateway.errors import InvalidRequest
from gateway.ids import Ids
from gateway.wire.openai_errors import error_body

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

MAX_HEAD_BYTES = 64 * 1024
"""Largest request line and headers. Without a bound, anybody could fill the memory before authentication."""

_HEAD = (
    b"HTTP/1.1 %d %b\r\n"
    b"content-type: application/json\r\n"
    b"content-length: %d\r\n"
    b"x-request-id: %b\r\n"
    b"connection: close\r\n\r\n"
)


class Http(HttpToolsProtocol):
    """One connection of a client."""

    _unused_bytes = 0
    """Received, but of no complete head and no body yet: a head, a chunk's extension, or trailers."""

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        self._unused_bytes += len(data)
        super().data_received(data)
        if self._unused_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._cut_off()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unused_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; the next head may follow."""
        self._unused_bytes = 0
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        cycle.__class__ = Cycle  # uvicorn names the class it makes, and offers no other place to exchange it
        super()._start_asgi_task(cycle, app)

    def _cut_off(self) -> None:
        if not getattr(
            self.cycle, "response_complete", True
        ):  # uvicorn has None there before the first request
            self.transport.close()  # it is no head that grows: an answer is on its way already
            return
        message = f"The request's head is larger than the {MAX_HEAD_BYTES} bytes allowed."
        self._refuse(InvalidRequest(message, status=431, code="headers_too_large"))

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; no application ever sees it."""
        self._refuse(InvalidRequest(msg, code="invalid_http"))

    def _refuse(self, error: InvalidRequest) -> None:
        body = error_body(error)
        phrase = HTTPStatus(error.status).phrase.encode()
        request_id = b"req_" + Ids()().encode()
        self.transport.write(_HEAD % (error.status, phrase, len(body), request_id) + body)
        self.transport.close()
