from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from gateway.errors import ProviderError
from gateway.provider import Credential, Credentials, Failures, Scrubber, realtime
from gateway.provider.realtime import open_session
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Answer
from gateway.upstream import Client, Proxies

Handler = Callable[[ServerConnection], Awaitable[None]]


class Account:
    """What a session needs of a service."""

    def __init__(self, *secrets: str) -> None:
        self.name = "up"
        self.client = Client()
        self.credentials = Credentials([Credential(secret) for secret in secrets])
        self.failures = Failures("up", Scrubber(secrets))


@asynccontextmanager
async def listening(handler: Handler, process: Any = None) -> AsyncGenerator[str]:
    async with serve(handler, "127.0.0.1", 0, process_request=process) as server:
        yield address(server)


def address(server: Server) -> str:
    return f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1/realtime?model=m"


async def opened(url: str, *secrets: str) -> Answer:
    account: Any = Account(*secrets or ("sk-fake-one",))
    return await open_session(
        account, "acme", lambda one: (url, [(b"authorization", f"Bearer {one.secret}".encode())])
    )


async def hello(connection: ServerConnection) -> None:
    await connection.send("hello")
    async for message in connection:
        await connection.send(message)


async def test_messages_go_both_ways_until_the_client_ends_it() -> None:
    async with listening(hello) as url:
        answer = await opened(url)
        assert answer.stream is not None
        assert answer.session is not None
        stream = aiter(answer.stream)
        assert await anext(stream) == b"hello"
        await answer.session.send("é")
        assert await anext(stream) == "é".encode()
        await answer.session.close()
        assert [message async for message in stream] == []
        await answer.session.send("late")
        assert answer.close is not None
        answer.close()
        answer.close()


async def test_a_service_that_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(connection: ServerConnection) -> None:
        await connection.wait_closed()

    monkeypatch.setattr(realtime, "FIRST_SECONDS", 0.1)
    async with listening(hang) as url:
        with pytest.raises(ProviderError) as caught:
            await opened(url)
        assert (caught.value.status, caught.value.code) == (504, "upstream_timeout")


async def test_a_service_that_never_shakes_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "OPEN_SECONDS", 0.1)
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(ending="hang"))
        with pytest.raises(ProviderError) as caught:
            await opened(upstream.url)
    assert (caught.value.status, caught.value.code) == (504, "upstream_timeout")


async def test_redirects_are_not_followed() -> None:
    asked: list[str] = []

    def redirect(connection: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        response = connection.respond(HTTPStatus.FOUND, "")
        response.headers["location"] = "/elsewhere"
        return response

    async with listening(hello, redirect) as url:
        with pytest.raises(ProviderError) as caught:
            await opened(url)
    assert caught.value.code == "upstream_malformed"
    assert asked == ["/v1/realtime?model=m"]


async def test_the_next_key_is_tried() -> None:
    used: list[str] = []

    def refuse_one(connection: ServerConnection, request: Request) -> Response | None:
        used.append(request.headers["authorization"])
        return connection.respond(HTTPStatus.TOO_MANY_REQUESTS, "slow") if len(used) == 1 else None

    async with listening(hello, refuse_one) as url:
        answer = await opened(url, "sk-fake-one", "sk-fake-two")
        assert answer.session is not None
        await answer.session.close()
    assert sorted(used) == ["Bearer sk-fake-one", "Bearer sk-fake-two"]


async def test_what_is_no_websocket() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Yes\r\nupgrade: nonsense\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        with pytest.raises(ProviderError) as caught:
            await opened(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert caught.value.code == "upstream_malformed"


async def test_the_way_is_that_of_other_requests() -> None:
    proxies = Proxies.from_environment({"https_proxy": "http://us%40er:p%3Aw@127.0.0.1:3128"})
    client = Client(proxies=proxies)
    tls, proxy = await client.way_to("https://api.test/v1/realtime")
    assert tls is not None
    assert proxy == "http://us%40er:p%3Aw@127.0.0.1:3128"
    assert await client.way_to("http://api.test/v1/realtime") == (None, None)


async def test_a_metadata_service_is_no_provider() -> None:
    with pytest.raises(ProviderError) as caught:
        await opened("http://169.254.169.254/latest")
    assert caught.value.code == "upstream_unreachable"
