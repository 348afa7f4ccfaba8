"""Which proxy is used, and how it is spoken to."""

from __future__ import annotations

import asyncio

import pytest

from gateway.upstream import Client, ConnectFailed, Proxies, Proxy, Timeouts
from gateway.upstream.errors import ConnectTimeout
from gateway.upstream.origin import parse_url

from .certificates import contexts
from .server import Peer, closing, echo, serve


def found(env: dict[str, str], url: str) -> str | None:
    proxy = Proxies.from_environment(env).find(parse_url(url)[0])
    return str(proxy) if proxy else None


@pytest.mark.parametrize(
    ("env", "http", "https"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": "http://p:1"}, "p:1", None),
        ({"HTTPS_PROXY": "http://p:1"}, None, "p:1"),
        ({"ALL_PROXY": "http://p:1"}, "p:1", "p:1"),
        ({"all_proxy": "http://p:1", "https_proxy": "q:2"}, "p:1", "q:2"),
        ({"http_proxy": "http://p:1", "HTTP_PROXY": "http://q:2"}, "p:1", None),
        ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None, None),
        ({"http_proxy": "http://p:1", "REQUEST_METHOD": "GET"}, "p:1", None),
        ({"HTTPS_PROXY": ""}, None, None),
        ({"HTTPS_PROXY": "p"}, None, "p:80"),
        ({"HTTPS_PROXY": "http://[::1]:3128/"}, None, "[::1]:3128"),
        ({"HTTP_PROXY": "p:1", "HTTPS_PROXY": "q:2", "ALL_PROXY": "socks5://s:3"}, "p:1", "q:2"),
    ],
)
def test_the_environment_decides(env: dict[str, str], http: str | None, https: str | None) -> None:
    assert found(env, "http://api.example.com/") == http
    assert found(env, "https://api.example.com/") == https


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "http://api.example.com", True),
        ("example.com", "http://example.com", True),
        ("example.com", "http://api.example.com", True),
        ("example.com", "http://notexample.com", False),
        (".example.com", "http://api.example.com", True),
        (".example.com", "http://example.com", True),
        ("*.example.com", "http://api.example.com", True),
        ("EXAMPLE.com", "http://api.Example.com", True),
        ("example.com.", "http://example.com", True),
        ("other.org, example.com", "http://example.com", True),
        ("other.org example.com", "http://example.com", True),
        ("example.com:8080", "http://example.com:8080", True),
        ("example.com:8080", "http://example.com", False),
        ("example.com:443", "https://api.example.com", True),
        ("127.0.0.1", "http://127.0.0.1:99", True),
        ("127.0.0.1:98", "http://127.0.0.1:99", False),
        ("10.0.0.0/8", "http://10.20.30.40", True),
        ("10.0.0.0/8", "http://11.20.30.40", False),
        ("10.0.0.1/8", "http://10.20.30.40", True),
        ("10.0.0.0/8", "http://example.com", False),
        ("::1", "http://[::1]:8080", True),
        ("[::1]", "http://[::1]:8080", True),
        ("[::1]:8080", "http://[::1]:8080", True),
        ("[::1]:8080", "http://[::1]:8081", False),
        ("fe80::/10", "http://[fe80::1]", True),
        ("fe80::/10", "http://10.0.0.1", False),
        ("", "http://example.com", False),
        (",", "http://example.com", False),
    ],
)
def test_no_proxy(no_proxy: str, url: str, direct: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        assert (found({"ALL_PROXY": "p:1", name: no_proxy}, url) is None) == direct


@pytest.mark.parametrize(
    "url",
    ["socks5://p:1", "https://p:1", "http://", "http://p:port", "http://[::1", "http://u:not-a-password@"],
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="HTTPS_PROXY: ") as caught:
        Proxies.from_environment({"HTTPS_PROXY": url})
    assert "not-a-password" not in str(caught.value)


async def test_http_goes_to_the_proxy_in_absolute_form() -> None:
    async with serve(echo) as proxy:
        proxies = Proxies(http=Proxy.from_url(f"http://us%40er:not-a-password@127.0.0.1:{proxy.port}", "x"))
        async with closing(Client(proxies=proxies)) as client:
            prepared = client.prepare("POST", "http://api.example.com:8000/v1?a=b")
            for _ in range(2):
                assert await (await client.send(prepared, b"hello")).read() == b"hello"
            assert proxy.accepted == 1
        lines = proxy.requests[0].split(b"\r\n")
        assert lines[:2] == [
            b"POST http://api.example.com:8000/v1?a=b HTTP/1.1",
            b"host: api.example.com:8000",
        ]
        assert b"proxy-authorization: Basic dXNAZXI6bm90LWEtcGFzc3dvcmQ=" in lines


async def relay(peer: Peer) -> None:
    """Be a CONNECT proxy that leads to the loopback, whatever name is asked for."""
    head, _ = await peer.request()
    port = int(head.split()[1].rpartition(b":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await peer.send(b"HTTP/1.1 200 Connection ", b"established\r\nvia: test\r\n\r\n")

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.transport.abort()

    await asyncio.gather(copy(reader, peer.writer), copy(peer.reader, writer))


async def test_https_goes_through_a_tunnel() -> None:
    served, trusting = contexts("api.example.com")
    async with serve(echo, tls=served) as server, serve(relay) as proxy:
        proxies = Proxies(https=Proxy("127.0.0.1", proxy.port, b"Basic bm90LWEtcGFzc3dvcmQ="))
        async with closing(Client(proxies=proxies, tls=trusting)) as client:
            prepared = client.prepare("POST", server.url("/v1", host="api.example.com"))
            for body in (b"hello", b"x" * 2**20):
                assert await (await client.send(prepared, body)).read() == body
            assert server.accepted == proxy.accepted == 1
        assert proxy.requests == [
            b"CONNECT api.example.com:%d HTTP/1.1\r\nhost: api.example.com:%d\r\n"
            b"proxy-authorization: Basic bm90LWEtcGFzc3dvcmQ=\r\n\r\n" % (server.port, server.port)
        ]
        assert server.requests[0].startswith(b"POST /v1 HTTP/1.1\r\n")
        assert b"proxy-authorization" not in server.requests[0]
        async with closing(Client(proxies=proxies)) as distrustful:
            prepared = distrustful.prepare("POST", server.url("/v1", host="api.example.com"))
            with pytest.raises(ConnectFailed, match=r"through proxy .* certificate is not trusted"):
                await distrustful.send(prepared)
            assert prepared.pool._size == 0


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
            "refused .* with status 407",
        ),
        (b"HTTP/1.1 403\r\n\r\n", "refused .* with status 403"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "answered no HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\ntoo much", "answered no HTTP"),
        (b"HTTP/1.1 200 OK\r\n", "answered no HTTP"),
        (b"", "answered no HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000, "answered no HTTP"),
    ],
    ids=["407", "403", "ssh", "too much", "cut", "nothing", "too long"],
)
async def test_a_proxy_that_opens_no_tunnel(answer: bytes, message: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        peer.close()

    async with serve(script) as proxy:
        proxies = Proxies(https=Proxy("127.0.0.1", proxy.port))
        async with closing(Client(proxies=proxies)) as client:
            prepared = client.prepare("POST", "https://api.example.com/")
            with pytest.raises(ConnectFailed, match=rf"proxy 127.0.0.1:{proxy.port} {message}") as caught:
                await client.send(prepared)
            assert not caught.value.sent
            assert prepared.pool._size == 0
            await proxy.until_open(0)


async def test_a_proxy_that_is_silent() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()

    async with serve(script) as proxy:
        proxies = Proxies(https=Proxy("127.0.0.1", proxy.port))
        async with closing(Client(proxies=proxies, timeouts=Timeouts(connect=0.2))) as client:
            with pytest.raises(
                ConnectTimeout, match=f"api.example.com:443 through proxy 127.0.0.1:{proxy.port}"
            ):
                await client.send(client.prepare("POST", "https://api.example.com/"))
            await proxy.until_open(0)


def test_a_proxy_shows_no_secret() -> None:
    proxy = Proxy.from_url("http://user:not-a-password@p:1", "x")
    assert "not-a" not in repr(proxy) + str(proxy)
