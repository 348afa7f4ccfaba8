"""HTTP/1.1 as uvicorn speaks it, except that it refuses malformed requests in the shape of every other error."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import InvalidRequest
from gateway.ids import Ids
from gateway.wire.openai_errors import error_body

_HEAD = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"content-type: application/json\r\n"
    b"content-length: %d\r\n"
    b"x-request-id: %b\r\n"
    b"connection: close\r\n\r\n"
)


class Http(HttpToolsProtocol):
    """One connection of a client."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; no application ever sees it."""
        body = error_body(InvalidRequest(msg, code="invalid_http"))
        self.transport.write(_HEAD % (len(body), b"req_" + Ids()().encode()) + body)
        self.transport.close()
