"""TLS: verification, names, reuse."""

from __future__ import annotations

import ssl

import pytest

from gateway.upstream import Client, ConnectFailed

from .certificates import contexts
from .server import Peer, closing, echo, serve


@pytest.fixture(scope="module")
def both() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return contexts("localhost")


@pytest.fixture
def served(both: tuple[ssl.SSLContext, ssl.SSLContext]) -> ssl.SSLContext:
    return both[0]


@pytest.fixture
def trusting(both: tuple[ssl.SSLContext, ssl.SSLContext]) -> ssl.SSLContext:
    return both[1]


async def test_a_trusted_origin(served: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    names: list[str | None] = []
    served.sni_callback = lambda _sock, name, _context: names.append(name)
    async with serve(echo, tls=served) as server, closing(Client(tls=trusting)) as client:
        prepared = client.prepare("POST", server.url(host="localhost"))
        for body in (b"hello", b"x" * 2**21):
            assert await (await client.send(prepared, body)).read() == body
        assert server.accepted == 1
    assert names == ["localhost"]


async def test_an_untrusted_origin(served: ssl.SSLContext) -> None:
    async with serve(echo, tls=served) as server, closing(Client()) as client:
        with pytest.raises(ConnectFailed, match=r"certificate is not trusted .*issuer") as caught:
            await client.send(client.prepare("POST", server.url(host="localhost")))
        assert not caught.value.sent
        assert server.requests == []


async def test_a_certificate_for_another_name(served: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async with serve(echo, tls=served) as server, closing(Client(tls=trusting)) as client:
        with pytest.raises(ConnectFailed, match=r"certificate is not trusted .*mismatch"):
            await client.send(client.prepare("POST", server.url(host="127.0.0.1")))


async def test_no_tls_at_all(trusting: ssl.SSLContext) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.close()

    async with serve(script) as server, closing(Client(tls=trusting)) as client:
        with pytest.raises(ConnectFailed, match=rf"cannot connect to 127.0.0.1:{server.port}: "):
            await client.send(client.prepare("POST", f"https://127.0.0.1:{server.port}/"))


async def test_a_stale_connection_is_replaced(served: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"%d" % peer.number)
        peer.close()

    async with serve(script, tls=served) as server, closing(Client(tls=trusting)) as client:
        prepared = client.prepare("POST", server.url(host="localhost"))
        for number in (1, 2):
            assert await (await client.send(prepared)).read() == b"%d" % number
            await server.until_open(0)
