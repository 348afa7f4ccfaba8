"""Ways in which a provider can fail, each as the handler of an upstream."""

from __future__ import annotations

import json
from collections.abc import Callable

from .upstream import Exchange, Handler

BREAKS: dict[str, tuple[Handler, str]] = {}
"""How an answer breaks off after its first event, and the error code that the client must see."""


def breaks(code: str) -> Callable[[Handler], Handler]:
    """Register a way to break off after the first event, and the error code that the client must see."""

    def register(handler: Handler) -> Handler:
        BREAKS[getattr(handler, "__name__", "")] = handler, code
        return handler

    return register


@breaks("upstream_timeout")
async def hang_mid_stream(exchange: Exchange) -> None:
    await exchange.hang()


@breaks("upstream_cut")
async def reset_mid_stream(exchange: Exchange) -> None:
    exchange.reset()


@breaks("upstream_cut")
async def cut_without_last_chunk(exchange: Exchange) -> None:
    exchange.writer.close()


@breaks("upstream_cut")
async def clean_end_without_done(exchange: Exchange) -> None:
    await exchange.send(b"0\r\n\r\n")


@breaks("upstream_cut")
async def end_within_an_event(exchange: Exchange) -> None:
    await exchange.chunk(b'data: {"choices": [{"index": 0, "delta": {"con')
    await exchange.send(b"0\r\n\r\n")


@breaks("upstream_malformed")
async def malformed_json(exchange: Exchange) -> None:
    await exchange.chunk(b"data: {nope\n\n")
    await exchange.hang()


@breaks("upstream_malformed")
async def html_in_an_event(exchange: Exchange) -> None:
    await exchange.chunk(b"data: <html><body>502</body></html>\n\n")
    await exchange.hang()


@breaks("upstream_malformed")
async def malformed_chunk_size(exchange: Exchange) -> None:
    await exchange.send(b"ZZZ\r\n")
    await exchange.hang()


@breaks("server_is_tired")
async def error_event(exchange: Exchange) -> None:
    fault = {"message": "I am tired", "type": "server_error", "code": "server_is_tired"}
    await exchange.chunk(b"data: " + json.dumps({"error": fault}).encode() + b"\n\n")
    await exchange.hang()


async def bad_first_event(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(
        b'data: {"error": {"message": "overloaded", "type": "server_error", "code": 503}}\n\n'
    )
    await exchange.send(b"0\r\n\r\n")


async def empty_stream(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.send(b"0\r\n\r\n")


async def only_comments(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(b": hello\n\n: still here\n\n")
    await exchange.send(b"0\r\n\r\n")


async def only_done(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(b"data: [DONE]\n\n")
    await exchange.send(b"0\r\n\r\n")


async def hang_before_head(exchange: Exchange) -> None:
    await exchange.hang()


async def hang_after_head(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.hang()


async def reset_before_head(exchange: Exchange) -> None:
    exchange.reset()


async def close_before_head(exchange: Exchange) -> None:
    exchange.writer.close()


async def cut_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-ty")
    exchange.writer.close()


async def too_many(exchange: Exchange) -> None:
    await exchange.answer({"error": {"message": "slow down"}}, status=429, headers=["retry-after: 7"])


async def internal(exchange: Exchange) -> None:
    await exchange.answer({"error": {"message": "oh no", "type": "server_error", "code": None}}, status=500)


async def html_200(exchange: Exchange) -> None:
    await exchange.answer(b"<html><body>Welcome to nginx</body></html>", type="text/html")


async def html_502(exchange: Exchange) -> None:
    await exchange.answer(b"<html><h1>502 Bad Gateway</h1></html>", status=502, type="text/html")


async def json_error_200(exchange: Exchange) -> None:
    await exchange.answer({"error": {"message": "no capacity", "type": "overloaded", "code": "no_capacity"}})


async def latin_1(exchange: Exchange) -> None:
    await exchange.answer(b'{"error": {"message": "caf\xe9", "code": "closed"}}', status=500)


async def not_http(exchange: Exchange) -> None:
    await exchange.send(b"SSH-2.0-OpenSSH_9.0\r\n\r\n")


async def redirect(exchange: Exchange) -> None:
    await exchange.answer(b"", status=302, headers=["location: http://169.254.169.254/"])


async def unauthorized(exchange: Exchange) -> None:
    await exchange.answer({"error": {"message": "bad key", "code": "invalid_api_key"}}, status=401)


async def gzip(exchange: Exchange) -> None:
    await exchange.answer(b"\x1f\x8b\x08garbage", headers=["content-encoding: gzip"])


EARLY: list[Handler] = [
    bad_first_event,
    empty_stream,
    hang_before_head,
    hang_after_head,
    reset_before_head,
    close_before_head,
    cut_head,
    too_many,
    internal,
    html_200,
    html_502,
    json_error_200,
    not_http,
    latin_1,
    redirect,
    gzip,
    unauthorized,
    only_comments,
]


WHOLE: list[Handler] = [
    reset_before_head,
    close_before_head,
    cut_head,
    html_200,
    html_502,
    not_http,
    redirect,
    gzip,
]
