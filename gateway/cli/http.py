"""HTTP/1.1 as uvicorn speaks it, but heads and waiting are bounded, refusals are JSON, and answers leave in one write."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.cli.cycle import Cycle
from gateway.cli.flow import Flow, Waiting
from gateway.errors import InvalidRequest
from gateway.ids import Ids
from gateway.wire.openai_errors import error_body

MAX_HEAD_BYTES = 64 * 1024
"""Largest request line and headers. Without a bound, anybody could fill the memory before authentication."""


class Patience(NamedTuple):
    """How long a client may keep the server waiting, in seconds."""

    idle: float = 75
    """Between requests, and before the first. Longer than clients and balancers keep an idle connection, so that
    none is closed just as it is used again."""
    head: float = 10
    """From the first byte of a request's head to the last."""
    stall: float = 30
    """Without any progress: of the request's body, or of the last bytes on a connection that closes."""


_HASH = ord("#")
"""As a number: in bytes, that is found many times as fast as a text."""

_HEAD = (
    b"HTTP/1.1 %d %b\r\n"
    b"content-type: application/json\r\n"
    b"content-length: %d\r\n"
    b"x-request-id: %b\r\n"
    b"connection: close\r\n\r\n"
)


class Http(HttpToolsProtocol):
    """One connection of a client."""

    # In slots: with more than 30 attributes, a Python object takes four times as much memory.
    __slots__ = (
        "_body_bytes",
        "_in_head",
        "_progress",
        "_since",
        "_unused_bytes",
        "_upgrades",
        "_waits_for",
    )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Set up a new connection."""
        super().connection_made(transport)
        self.flow = Flow(transport)
        self.pipeline: Any = Waiting()
        self._in_head = False
        """Some of a request's head has come, but not all."""
        self._upgrades = False
        """The request that is read asks for a WebSocket."""
        self._unused_bytes = 0
        """Received, but of no complete head and no body yet: a head, a chunk's extension, or trailers."""
        self._body_bytes = 0
        """Received of all bodies."""
        self._waits_for: str | None = None
        """What the last look found the server to be waiting for: a field of `Patience`."""
        self._progress: tuple[object, int] = (None, 0)
        """How far that look found it to be."""
        self._since = 0.0
        """When it was found so first, in loop time."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is running that its client has gone."""
        self.connections.discard(self)
        cycle: Any = self.cycle  # as `scope`, None before the first request; uvicorn does not say so
        if cycle is not None:
            cycle.disconnected = not cycle.response_complete
            cycle.stir()
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        # All these hold this connection: with them, only the collector could free it, and its buffers with it.
        self.parser: Any = None
        self.cycle: Any = None
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        self._unused_bytes += len(data)
        parser: Any = self.parser or self._new_parser()
        try:
            parser.feed_data(data)
        except HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except HttpParserUpgrade:
            if self._upgrades:
                self.handle_websocket_upgrade()
        if self._unused_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._cut_off()

    def _new_parser(self) -> HttpRequestParser:
        self.parser = parser = HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return parser

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head = True
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Begin a request, or let it wait for its turn."""
        parser, url = self.parser, self.url
        method = parser.get_method().decode()
        self._upgrades = parser.should_upgrade() and self._should_upgrade()
        if self._upgrades:
            self.scope: Any = {"method": method, "headers": self.headers}
            return
        self._in_head = False
        version = parser.get_http_version()
        if url[:1] == b"/" and _HASH not in url:  # as nearly always
            raw_path, _, query = url.partition(b"?")
        else:
            parsed = parse_url(url)
            raw_path, query = parsed.path or b"", parsed.query or b""
        path = raw_path.decode("ascii")
        scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": method,
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }
        before: Any = self.cycle
        cycle: Any = Cycle(
            self, scope, version != "1.0" and parser.should_keep_alive(), self.expect_100_continue
        )
        self.cycle = cycle
        if before is None or before.response_complete:
            self._begin(cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft(cycle)

    def _begin(self, cycle: Cycle) -> None:
        app: Any = self.app  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        # The loop's own create_task would count up a name for each.
        cycle.task = task = asyncio.Task(cycle.run(app), loop=self.loop, name="request")
        self.tasks.add(task)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unused_bytes = 0
        self._body_bytes += len(body)
        cycle: Any = self.cycle
        if not (self._upgrades or cycle.response_complete):
            cycle.feed(body)

    def on_message_complete(self) -> None:
        """End the request; the next head may follow."""
        self._unused_bytes = 0
        cycle: Any = self.cycle
        if not (self._upgrades or cycle.response_complete):
            cycle.more_body = False
            if not cycle.news:
                cycle.stir()

    def look(self, now: float, patience: Patience) -> None:
        """End the connection when its client has kept the server waiting for too long.

        Called now and then, so that no request has to set a timer of its own.
        """
        cycle: Any = self.cycle
        if cycle is not None and not (self._in_head or cycle.more_body):
            self.parser = None  # between two requests it knows nothing, and takes a kilobyte
        waits_for, request, count = self._waiting()
        before, number = self._progress
        if waits_for != self._waits_for or request is not before or count != number:
            self._waits_for, self._progress, self._since = waits_for, (request, count), now
        elif waits_for is not None and now - self._since >= getattr(patience, waits_for):
            self._give_up(waits_for)

    def _waiting(self) -> tuple[str | None, object, int]:
        """What the server waits for, for the sake of which request, and a number that changes with any progress."""
        cycle: Any = self.cycle
        request = self.headers  # a list of its own for each
        if self.transport.is_closing():
            return "stall", request, self.transport.get_write_buffer_size()
        if cycle is None or cycle.response_complete:
            return "head" if self._in_head else "idle", request, 0
        ours = self.pipeline or self.flow.read_paused or cycle.response_started
        if ours or not cycle.more_body or cycle.waiting_for_100_continue:
            return None, None, 0
        return "stall", request, self._body_bytes

    def _give_up(self, waits_for: str) -> None:
        if self.transport.is_closing():
            self.transport.abort()
        elif waits_for == "idle":
            self.transport.close()
        else:
            what = "head was not complete in time" if waits_for == "head" else "body stopped coming"
            self._refuse(InvalidRequest(f"The request's {what}.", status=408, code="request_timeout"))

    def on_response_complete(self) -> None:
        """Start the next request of a pipeline. `look` watches over idle connections: no timer is set for each answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._begin(self.pipeline.pop())

    def _cut_off(self) -> None:
        # uvicorn has None there before the first request.
        if not getattr(self.cycle, "response_complete", True):
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
