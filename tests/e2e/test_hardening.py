"""What somebody between the client and the gateway, or pretending to be, might try: smuggling, spoofing, guessing."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from .support.process import Deployment, deployment
from .support.raw import chat_body

CONFIG = """
[gateway]
trusted_proxies = ["127.0.0.1", "192.0.2.0/24"]
failures_per_minute = 5
[auth.apikey]
[provider.mock]
"""
BODY = chat_body()
LENGTH = b"content-length: %d" % len(BODY)
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n"
"""Sent behind each request; whether it is answered tells where the server saw that one end."""

TE = b"transfer-encoding: chunked"
AMBIGUOUS: dict[str, tuple[bytes, bytes]] = {
    "length and chunked": (LENGTH + b"\r\n" + TE, CHUNKED),
    "chunked and length": (TE + b"\r\n" + LENGTH, CHUNKED),
    "a length that hides a request": (b"content-length: 6\r\n" + TE, b"0\r\n\r\nG"),
    "two lengths that differ": (LENGTH + b"\r\ncontent-length: 0", BODY),
    "two lengths alike": (LENGTH + b"\r\n" + LENGTH, BODY),
    "a list of lengths": (LENGTH + b", %d" % len(BODY), BODY),
    "a length with a sign": (b"content-length: +%d" % len(BODY), BODY),
    "a negative length": (b"content-length: -1", BODY),
    "a hexadecimal length": (b"content-length: 0x%x" % len(BODY), BODY),
    "no digits": (b"content-length: ", BODY),
    "a length beyond all": (b"content-length: 99999999999999999999999999", BODY),
    "space before the colon of a length": (LENGTH.replace(b":", b" :"), BODY),
    "space before the colon": (TE.replace(b":", b" :"), CHUNKED),
    "another coding": (b"transfer-encoding: xchunked", CHUNKED),
    "chunked, but not last": (b"transfer-encoding: chunked, identity", CHUNKED),
    "chunked twice": (TE + b"\r\n" + TE, CHUNKED),
    "chunked, then identity": (TE + b"\r\ntransfer-encoding: identity", CHUNKED),
    "identity and a length": (b"transfer-encoding: identity\r\n" + LENGTH, BODY),
    "a vertical tab": (b"transfer-encoding: \x0bchunked", CHUNKED),
    "quotes": (b'transfer-encoding: "chunked"', CHUNKED),
    "a NUL in the coding": (TE + b"\0", CHUNKED),
    "a folded coding": (b"transfer-encoding:\r\n chunked\r\n" + LENGTH, BODY),
    "a folded header": (b"x-a: b\r\n c\r\n" + LENGTH, BODY),
    "a bare LF": (b"x-a: b\n" + LENGTH, BODY),
    "a bare CR": (b"x-a: b\rcontent-length: 3\r\n" + LENGTH, BODY),
    "a NUL": (b"x-a: b\0c\r\n" + LENGTH, BODY),
    "a space in a name": (b"x a: b\r\n" + LENGTH, BODY),
    "a line that begins with a space": (b" x-a: b\r\n" + LENGTH, BODY),
    "no colon": (b"x-a\r\n" + LENGTH, BODY),
    "no name": (b": b\r\n" + LENGTH, BODY),
    "chunks that end in LF": (TE, CHUNKED.replace(b"\r\n", b"\n")),
    "a chunk's size with a sign": (TE, b"+" + CHUNKED),
    "a chunk's size with 0x": (TE, b"0x" + CHUNKED),
    "a chunk's size beyond all": (TE, b"f" * 17 + b"\r\n" + BODY),
    "a space behind a chunk's size": (TE, CHUNKED.replace(b"\r\n", b" \r\n", 1)),
    "LF in a chunk's extension": (TE, CHUNKED.replace(b"\r\n", b";a\nb\r\n", 1)),
    "a chunk without its end": (TE, b"%x\r\n%bXX0\r\n\r\n" % (len(BODY), BODY)),
    "a length in the trailer": (TE, CHUNKED[:-2] + b"content-length: 3\r\n\r\n"),
}
"""Headers and body of requests whose end two servers might see at different places (RFC 9112, sections 5, 6 and 11.2)."""


class Served(NamedTuple):
    deployment: Deployment
    key: str
    only_there: str
    """A key that may be used from 203.0.113.0/24 alone."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One process for all tests here."""
    folder: Path = tmp_path_factory.mktemp("hardening")
    with deployment(folder, CONFIG) as running:
        there = running.key("--network", "203.0.113.0/24", "--endpoint", "/v1/models", name="there")
        yield Served(running, running.key()["key"], there["key"])


def answers(served: Served, request: bytes) -> list[int]:
    """The statuses of all answers on a new connection, until the server closes it."""
    with socket.create_connection(("127.0.0.1", served.deployment.port), timeout=30) as connection:
        connection.sendall(request)
        received = b""
        while data := connection.recv(65536):
            received += data
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


def post(served: Served, headers: bytes, body: bytes, *, version: bytes = b"1.1") -> bytes:
    line = b"POST /v1/chat/completions HTTP/%b\r\nhost: gateway\r\n" % version
    return b"%bauthorization: Bearer %b\r\n%b\r\n\r\n%b" % (line, served.key.encode(), headers, body)


def test_where_a_request_ends_is_beyond_doubt(served: Served) -> None:
    plain = post(served, LENGTH, BODY) + SMUGGLED
    assert answers(served, plain) == [200, 404]
    assert answers(served, post(served, TE, CHUNKED) + SMUGGLED) == [200, 404]
    for name, (headers, body) in AMBIGUOUS.items():
        assert answers(served, post(served, headers, body) + SMUGGLED) == [400], name
    lines_end_in_lf = plain.replace(b"\r\n", b"\n")
    assert answers(served, lines_end_in_lf) == [400]
    assert answers(served, post(served, LENGTH, BODY, version=b"1.2") + SMUGGLED) == [400]
    # Versions that know no chunks, or are none: one answer at most, and nothing behind the request is read.
    for version in (b"0.9", b"1.0", b"2.0"):
        for headers, body in ((TE, CHUNKED), (LENGTH, BODY)):
            assert len(answers(served, post(served, headers, body, version=version) + SMUGGLED)) == 1


def models(served: Served, key: str, *, source: str = "127.0.0.1", **headers: str) -> httpx2.Response:
    """Ask for the list of models from an address of this machine."""
    sent = {
        "authorization": f"Bearer {key}",
        **{name.replace("_", "-"): each for name, each in headers.items()},
    }
    with httpx2.Client(transport=httpx2.HTTPTransport(local_address=source)) as client:
        return client.get(f"{served.deployment.url}/v1/models", headers=sent)


@pytest.mark.parametrize(
    ("source", "headers", "status"),
    [
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.5"}, 200),
        ("127.0.0.1", {"x_forwarded_for": "198.51.100.1, 203.0.113.5, 192.0.2.9"}, 200),
        ("127.0.0.1", {}, 403),
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.5, 198.51.100.1"}, 403),  # written by the client itself
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.5, unknown"}, 403),
        ("127.0.0.2", {"x_forwarded_for": "203.0.113.5"}, 403),  # no proxy of ours
        ("127.0.0.1", {"forwarded": "for=203.0.113.5"}, 403),  # not the header that our proxies write
        ("127.0.0.1", {"x_real_ip": "203.0.113.5", "cf_connecting_ip": "203.0.113.5"}, 403),
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.5", "x_forwarded_host": "evil.example"}, 200),
    ],
)
def test_only_trusted_proxies_say_who_the_client_is(
    served: Served, source: str, headers: dict[str, str], status: int
) -> None:
    answer = models(served, served.only_there, source=source, **headers)
    assert answer.status_code == status
    assert "evil.example" not in answer.text
    if status == 403:
        assert answer.json()["error"]["code"] == "address_not_allowed"


def test_a_key_stays_on_its_paths(served: Served) -> None:
    headers = {"authorization": f"Bearer {served.only_there}", "x-forwarded-for": "203.0.113.5"}
    for path in ("/v1/chat/completions", "/v1/models/../chat/completions", "//v1/models"):
        answer = httpx2.post(f"{served.deployment.url}{path}", content=BODY, headers=headers)
        assert answer.status_code in {403, 404}, path
    answer = httpx2.post(f"{served.deployment.url}/v1/chat/completions", content=BODY, headers=headers)
    assert answer.json()["error"]["code"] == "endpoint_not_allowed"


def test_who_guesses_waits_and_who_knows_does_not(served: Served) -> None:
    for number in range(5):
        wrong = models(served, f"gw_guess{number}", x_forwarded_for="198.51.100.7")
        assert wrong.status_code == 401
    throttled = models(served, "gw_one_more", x_forwarded_for="198.51.100.7")
    assert (throttled.status_code, throttled.json()["error"]["code"]) == (429, "too_many_failures")
    assert 0 < int(throttled.headers["retry-after"]) <= 60
    assert models(served, served.key, x_forwarded_for="198.51.100.7").status_code == 200
    assert models(served, "gw_elsewhere", x_forwarded_for="198.51.100.8").status_code == 401
