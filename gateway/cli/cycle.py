"""One request and its answer on uvicorn's connection, with a way out of its own.

uvicorn hands the head of an answer and its body to the socket one after the other: two system calls where one will do.
Here the head waits for what follows it, as ASGI allows, and is searched once as a whole for what HTTP does not allow.

`send` also does its work as soon as it is called, where the client keeps up: then there is nothing left to await.
"""

from __future__ import annotations

import functools
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from gateway.push import DONE, Later
from gateway.types import RawHeaders

NO_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Cycle(RequestResponseCycle):
    """uvicorn's cycle with another `send`."""

    head: bytes = b""
    """The head of the answer, while it waits for the first piece of the body."""

    def send(self, message: Any) -> Any:
        """Send one ASGI message; return what ASGI says to await, which is `DONE` when the message is on its way.

        Raises RuntimeError for a message that does not fit, as uvicorn does.
        """
        if self.disconnected:
            return DONE
        if self.flow.write_paused:
            return Later(functools.partial(self._send_drained, message))
        kind = message["type"]
        if kind == "http.response.body" and self.response_started and not self.response_complete:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.start" and not self.response_started:
            self._hold_head(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")
        return DONE

    async def _send_drained(self, message: Any) -> None:
        await self.flow.drain()
        await self.send(message)

    def _hold_head(self, status: int, headers: RawHeaders) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        headers = [*self.default_headers, *headers]
        lines = len(headers) + 2
        parts = [STATUS_LINE[status]]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
            if name == b"content-length":
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"connection" and value.lower() == b"close":
                self.keep_alive = False
        if not self.keep_alive and (b"connection", b"close") not in headers:
            parts.append(b"connection: close\r\n")
            lines += 1
        if self.chunked_encoding is None and status not in NO_BODY and self.scope["method"] != "HEAD":
            self.chunked_encoding = True
            parts.append(b"transfer-encoding: chunked\r\n")
            lines += 1
        parts.append(b"\r\n")
        head = b"".join(parts)
        if not head.count(b"\n") == head.count(b"\r") == lines or b"\0" in head:
            raise RuntimeError("a header of the answer holds a character that HTTP does not allow")
        self.head = head

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self.chunked_encoding:
            if body:
                body = b"".join((b"%x\r\n" % len(body), body, b"\r\n"))
            if not more:
                body += b"0\r\n\r\n"
        elif self.scope["method"] == "HEAD":
            body, self.expected_content_length = b"", 0
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("the answer is longer than its content-length")
        if self.head:
            body, self.head = self.head + body, b""
        self.transport.write(body)
        if not more:
            self._complete()

    def _complete(self) -> None:
        if self.expected_content_length:
            raise RuntimeError("the answer is shorter than its content-length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
