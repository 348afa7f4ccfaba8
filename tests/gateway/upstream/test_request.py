"""What `prepare` and `send` refuse to put on the wire."""

from __future__ import annotations

import pytest

from gateway.upstream import Client

from .server import closing, echo, serve

BAD = [
    (b"x\r\ny", b"1"),
    (b"", b"1"),
    (b"x y", b"1"),
    (b"x:", b"1"),
    (b"\xc3\xa9", b"1"),
    (b"x", b"1\r\ny: 2"),
    (b"x", b"1\ny: 2"),
    (b"x", b"1\ry: 2"),
    (b"x", b"1\0"),
    (b"Content-Length", b"5"),
    (b"transfer-encoding", b"chunked"),
    (b"Connection", b"close"),
    (b"accept-encoding", b"gzip"),
    (b"expect", b"100-continue"),
]


@pytest.mark.parametrize("header", BAD, ids=repr)
def test_headers_that_prepare_refuses(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="header"):
        Client().prepare("POST", "http://api.example.com/", [header])


@pytest.mark.parametrize("header", BAD, ids=repr)
async def test_headers_that_send_refuses_before_it_connects(header: tuple[bytes, bytes]) -> None:
    async with serve(echo) as server, closing(Client()) as client:
        prepared = client.prepare("POST", server.url())
        with pytest.raises(ValueError, match="header"):
            await client.send(prepared, headers=[header])
        assert server.accepted == 0


def test_a_refused_value_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="authorization") as caught:
        Client().prepare("POST", "http://api.example.com/", [(b"authorization", b"Bearer not-a-key\n")])
    assert "not-a-key" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com/v1",
        "ftp://api.example.com/",
        "/v1/chat",
        "http:///v1",
        "http://user:not-a-password@api.example.com/",
        "http://api.example.com/a b",
        "http://api.example.com/ä",
        "http://api.example.com/?q=ä",
        "http://api example.com/",
        "http://api.example.com:port/",
        "http://api.example.com:99999/",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the messages differ
        Client().prepare("GET", url)
    assert "not-a-password" not in str(caught.value)


@pytest.mark.parametrize("method", ["get", "GET /", "", "GET\r\nx: y"])
def test_methods_that_are_refused(method: str) -> None:
    with pytest.raises(ValueError, match="method"):
        Client().prepare(method, "http://api.example.com/")


@pytest.mark.parametrize(
    ("url", "line", "host"),
    [
        ("http://api.example.com", b"GET / HTTP/1.1", b"api.example.com"),
        ("https://API.example.com:443/a?b=c#d", b"GET /a?b=c HTTP/1.1", b"api.example.com"),
        ("http://api.example.com:8080/?", b"GET / HTTP/1.1", b"api.example.com:8080"),
        ("https://api.example.com:80/%20", b"GET /%20 HTTP/1.1", b"api.example.com:80"),
        ("http://[2001:db8::1]:8080/", b"GET / HTTP/1.1", b"[2001:db8::1]:8080"),
        ("http://bücher.example/", b"GET / HTTP/1.1", b"xn--bcher-kva.example"),
    ],
)
def test_request_line_and_host(url: str, line: bytes, host: bytes) -> None:
    lines = Client().prepare("GET", url).encode(b"", ()).split(b"\r\n")
    assert lines[:2] == [line, b"host: " + host]


def test_a_given_host_and_user_agent_replace_ours() -> None:
    given = [(b"Host", b"other.example"), (b"User-Agent", b"acme/1")]
    head = Client().prepare("GET", "http://127.0.0.1/", given).encode(b"", ())
    assert (
        head
        == b"GET / HTTP/1.1\r\nHost: other.example\r\nUser-Agent: acme/1\r\naccept-encoding: identity\r\n\r\n"
    )
