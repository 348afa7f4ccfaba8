"""Requests to the gateway's own endpoints, in the name of whoever sent the one that is being answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

T = TypeVar("T")

_OF_THE_BODY: Final = frozenset({b"content-length", b"content-type", b"transfer-encoding", b"accept"})
_MAX_ANSWER: Final = 2**20


class _Told(Struct):
    message: str
    type: str | None = None
    code: str | None = None
    param: str | None = None


class _Refusal(Struct):
    error: _Told


class Inside:
    """Asks the gateway with the headers of a request, which say whose it is."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._headers = [header for header in scope["headers"] if header[0] not in _OF_THE_BODY]

    @classmethod
    async def until_gone(
        cls, scope: Scope, receive: Receive, work: Callable[[Inside], Awaitable[T]]
    ) -> T | None:
        """Do the work while the client, whose body was read, is there; None when it has gone."""
        done = asyncio.ensure_future(work(cls(scope)))
        gone = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({done, gone}, return_when=asyncio.FIRST_COMPLETED)
            return done.result() if done.done() else None
        finally:
            done.cancel()
            gone.cancel()
            await asyncio.gather(done, gone, return_exceptions=True)  # both have ended, or are cancelled

    async def request(
        self, method: str, path: str, body: bytes = b"", *, at_most: int = _MAX_ANSWER
    ) -> bytes:
        """Return the body of a good answer. Raises `GatewayError` as it is told, and for an answer too long."""
        status = 0
        parts: list[bytes] = []
        size = 0
        sent = asyncio.Event()

        async def receive() -> Message:
            if sent.is_set():
                await asyncio.Event().wait()  # whether the client is there is watched elsewhere
            sent.set()
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                return
            size += len(message.get("body", b""))
            if size > at_most:
                raise GatewayError(f"The answer is longer than {at_most} bytes.", status=502)
            parts.append(message.get("body", b""))

        await self._scope["app"](self._asking(method, path, body), receive, send)
        answer = b"".join(parts)
        if status >= HTTPStatus.BAD_REQUEST:
            raise _refused(status, answer)
        return answer

    def _asking(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        whole = self._scope.get("root_path", "") + path
        extra = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        return {
            **{name: value for name, value in self._scope.items() if not name.startswith("gateway.")},
            "method": method,
            "path": whole,
            "raw_path": whole.encode(),
            "query_string": b"",
            "headers": [*self._headers, *(extra if body else ())],
        }


def _refused(status: int, answer: bytes) -> GatewayError:
    try:
        told = msgspec.json.decode(answer, type=_Refusal).error
    except msgspec.DecodeError:
        told = _Told("The gateway failed to process this request.")
    error = GatewayError(told.message, status=status, type=told.type, param=told.param)
    error.code = told.code
    return error
