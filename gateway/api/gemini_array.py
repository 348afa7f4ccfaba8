"""Gemini's stream for clients that did not ask for `alt=sse`: one JSON array, element by element."""

from __future__ import annotations

from starlette.types import Message, Send

from gateway.wire import sse

_KIND = b"content-type"


class ArraySend:
    """Stands before ASGI's `send`: makes elements of an array of the events that a stream is written in."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._streams = False
        self._begun = False

    async def __call__(self, message: Message) -> None:
        """Pass a message on; what is no stream, as an error, stays as it is."""
        if message["type"] == "http.response.start":
            headers: list[tuple[bytes, bytes]] = list(message["headers"])
            self._streams = dict(headers).get(_KIND, b"").startswith(b"text/event-stream")
            if self._streams:
                others = [header for header in headers if header[0] != _KIND]
                message = {**message, "headers": [(_KIND, b"application/json; charset=utf-8"), *others]}
        elif self._streams:
            data = self._elements(message.get("body", b""))
            if not message.get("more_body", False):
                data += b"]" if self._begun else b"[]"
            message = {**message, "body": data}
        await self._send(message)

    def _elements(self, events: bytes) -> bytes:
        written = b""
        for event in events.split(b"\n\n"):
            payload = sse.payload(event)
            if payload:
                written += (b",\n" if self._begun else b"[") + payload
                self._begun = True
        # What holds no event is a sign of life; white space may stand between the elements.
        return written or (b"\n" if events else b"")
