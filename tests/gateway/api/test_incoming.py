"""Request bodies: whole, in pieces, too large, broken off."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.api.incoming import HttpIncoming
from gateway.errors import ClientGone, InvalidRequest


def incoming(
    *messages: dict[str, Any], headers: list[tuple[bytes, bytes]] | None = None, limit: int = 10
) -> HttpIncoming:
    queue = list(messages)

    async def receive() -> Any:
        return queue.pop(0)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/ai/v1/x",
        "root_path": "/ai",
        "headers": headers or [],
        "client": ("127.0.0.1", 1),
    }
    return HttpIncoming(scope, receive, limit)


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_head() -> None:
    request = incoming(headers=[(b"a", b"1"), (b"a", b"2")])
    assert (request.method, request.path, request.client) == ("POST", "/v1/x", "127.0.0.1")
    assert request.headers == {b"a": b"2"}


async def test_body_is_read_once_and_kept() -> None:
    request = incoming(part(b"abc", more=True), part(b"", more=True), part(b"de", more=False))
    assert await request.body() == b"abcde"
    assert await request.body() == b"abcde"


@pytest.mark.parametrize(
    "request_",
    [
        incoming(headers=[(b"content-length", b"11")]),
        incoming(part(b"x" * 11, more=False)),
        incoming(part(b"x" * 6, more=True), part(b"x" * 5, more=True)),
    ],
)
async def test_too_large(request_: HttpIncoming) -> None:
    with pytest.raises(InvalidRequest, match="larger than the 10 bytes") as caught:
        await request_.body()
    assert caught.value.status == 413
    assert (b"connection", b"close") in caught.value.headers


async def test_broken_off() -> None:
    with pytest.raises(ClientGone):
        await incoming(part(b"abc", more=True), {"type": "http.disconnect"}).body()


class Server:
    """What `gateway serve` gives as `receive`: a method, beside which `arrived` tells of a body that has come."""

    def __init__(self, body: bytes | None) -> None:
        self._body = body

    def arrived(self) -> bytes | None:
        return self._body

    async def receive(self) -> Any:
        return part(b"late", more=False)

    def incoming(self, receive: Any = None, *, limit: int = 10) -> HttpIncoming:
        scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1/x", "headers": []}
        return HttpIncoming(scope, receive or self.receive, limit)


async def test_a_body_that_has_come_is_not_waited_for() -> None:
    request = Server(b"abc").incoming()
    assert request.ready() == b"abc"
    assert await request.body() == b"abc"
    with pytest.raises(InvalidRequest, match="larger than the 2 bytes"):
        Server(b"abc").incoming(limit=2).ready()


async def test_a_body_that_has_not_come_is_waited_for() -> None:
    request = Server(None).incoming()
    assert request.ready() is None
    assert await request.body() == b"late"
    assert request.ready() == b"late"


async def test_what_changes_the_body_on_its_way_is_asked_for_it() -> None:
    server = Server(b"abc")

    async def wrapped() -> Any:
        message = await server.receive()
        return {**message, "body": message["body"].upper()}

    request = server.incoming(wrapped)
    assert request.ready() is None
    assert await request.body() == b"LATE"
