"""What the gateway says when a service refuses, breaks, or talks nonsense."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from gateway.errors import ProviderError
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Answer

KEY = "acme-secret-0123456789"
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}


async def failure(plugin: Any, attempt: Any, **fields: Any) -> ProviderError:
    """Send a request that fails, and return the error."""
    (provider,) = plugin.register_providers()
    with pytest.raises(ProviderError) as caught:
        await provider.send(attempt("hi", **fields))
    assert caught.value.provider == "acme"
    return caught.value


def reply(status: int, body: Any, **headers: str) -> Reply:
    parts = [body if isinstance(body, bytes) else msgspec.json.encode(body)]
    return Reply(
        status=status, headers={**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}}, parts=parts
    )


@pytest.mark.parametrize(
    ("body", "message", "kind", "code", "param"),
    [
        (
            {
                "error": {
                    "message": "Too long.",
                    "type": "invalid_request_error",
                    "code": "too_long",
                    "param": "x",
                }
            },
            "Too long.",
            "invalid_request_error",
            "too_long",
            "x",
        ),
        ({"error": {"message": "No.", "type": "t", "code": None, "param": None}}, "No.", "t", None, None),
        ({"error": "No."}, "No.", "upstream_error", None, None),
        ({"error": {"message": "No.", "code": 400}}, "No.", "upstream_error", None, None),
        ({"message": "No.", "type": "t", "code": 3001}, "No.", "t", "3001", None),
        ({"detail": "No."}, "No.", "upstream_error", None, None),
        (
            {"detail": [{"loc": ["body", "n"], "msg": "Too big"}]},
            "body.n: Too big",
            "upstream_error",
            None,
            None,
        ),
        (
            {"object": "error", "message": {"detail": [{"loc": ["body", "n"], "msg": "Extra"}]}, "type": "t"},
            "body.n: Extra",
            "t",
            None,
            None,
        ),
        (
            [{"error": {"code": 400, "message": "No.", "status": "INVALID"}}],
            "No.",
            "upstream_error",
            "INVALID",
            None,
        ),
        (
            b"<html><h1>Bad Request</h1>",
            "The provider 'acme' answered with status 400 (Bad Request).",
            None,
            None,
            None,
        ),
        (b"", "The provider 'acme' answered with status 400 (Bad Request).", None, None, None),
        ({}, "The provider 'acme' answered with status 400 (Bad Request).", None, None, None),
        (b"[" * 100_000, "The provider 'acme' answered with status 400 (Bad Request).", None, None, None),
        ("just a text", "The provider 'acme' answered with status 400 (Bad Request).", None, None, None),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_errors_of_all_shapes(
    plugin: Any,
    upstream: FakeUpstream,
    attempt: Any,
    body: Any,
    message: str,
    kind: Any,
    code: Any,
    param: Any,
):
    upstream.reply(reply(400, body))
    error = await failure(plugin(), attempt)
    assert (error.status, error.message, error.param) == (400, message, param)
    if kind is None:  # nothing could be read
        assert (error.type, error.code) == ("upstream_error", "upstream_error")
    else:
        assert (error.type, error.code) == (kind, code)


@pytest.mark.parametrize(
    ("status", "falls_back"),
    [
        *((status, False) for status in (400, 404, 405, 413, 415, 422)),
        *((status, True) for status in (401, 402, 403, 408, 409, 429, 500, 503, 529)),
    ],
)
async def test_whether_another_target_may_be_tried(
    plugin: Any, upstream: FakeUpstream, attempt: Any, status: int, falls_back: bool
):
    upstream.reply(reply(status, {"error": {"message": "No."}}))
    error = await failure(plugin(), attempt)
    assert (error.status, error.can_fall_back) == (status, falls_back)


async def test_advice_on_trying_again_is_kept(plugin: Any, upstream: FakeUpstream, attempt: Any):
    headers = {"retry_after": "7", "retry_after_ms": "6500", "x_should_retry": "true", "server": "x"}
    upstream.reply(reply(429, {"error": {"message": "Slow down."}}, **headers))
    error = await failure(plugin(), attempt)
    kept = {b"retry-after": b"7", b"retry-after-ms": b"6500", b"x-should-retry": b"true"}
    assert dict(error.headers) == kept


@pytest.mark.parametrize(
    "leak",
    [
        KEY,
        f"Bearer {KEY}",
        "sk-proj-abcdefgh123456",
        "sk-abc1***********6789",
        "gsk_abcdefgh123456",
        "AIzaSyA1234567890abcdef",
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc",
        "header-secret",
    ],
)
async def test_secrets_are_taken_out(plugin: Any, upstream: FakeUpstream, attempt: Any, leak: str):
    said = {
        "message": f"Incorrect API key provided: {leak}.",
        "type": leak,
        "code": f"bad {leak}",
        "param": leak,
    }
    upstream.reply(reply(400, {"error": said}))
    error = await failure(plugin(api_key=KEY, headers={"x-key": "header-secret"}), attempt)
    for text in (error.message, error.type, error.code, error.param):
        assert leak not in str(text)
    assert error.message.startswith("Incorrect API key provided: ")


async def test_what_is_too_short_to_be_a_secret_is_left_alone(
    plugin: Any, upstream: FakeUpstream, attempt: Any
):
    upstream.reply(reply(400, {"error": {"message": "Use the eu region, not the us one."}}))
    error = await failure(plugin(api_key="e", headers={"x-region": "eu"}), attempt)
    assert error.message == "Use the eu region, not the us one."


async def test_an_endless_error_is_not_read_to_its_end(plugin: Any, upstream: FakeUpstream, attempt: Any):
    upstream.reply(Reply(status=500, headers=JSON, parts=[b"x" * 70_000], ending="hang"))
    assert (await failure(plugin(), attempt)).status == 500
    await upstream.released()


async def test_an_error_that_breaks_off_is_still_that_error(
    plugin: Any, upstream: FakeUpstream, attempt: Any
):
    upstream.reply(Reply(status=503, headers=JSON, parts=[b'{"error": {"mess'], ending="cut"))
    assert (await failure(plugin(), attempt)).status == 503


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"error": {"message": "Overloaded", "code": 503}}, 503, None),
        ({"error": {"message": "Overloaded", "code": "busy"}}, 502, "busy"),
        ({"error": "Overloaded"}, 502, None),
    ],
    ids=str,
)
async def test_an_error_with_status_200(
    plugin: Any, upstream: FakeUpstream, attempt: Any, sent: Any, status: int, code: str | None, stream: bool
):
    upstream.reply(reply(200, sent))
    error = await failure(plugin(), attempt, stream=stream)
    assert (error.status, error.message, error.code) == (status, "Overloaded", code)
    assert error.can_fall_back


@pytest.mark.parametrize(
    ("stream", "headers", "body"),
    [
        (False, JSON, b""),
        (False, {"content-type": "text/html"}, b"<html>Sign in</html>"),
        (False, JSON, b"[1, 2]"),
        (True, {"content-type": "text/html"}, b"<html>Sign in</html>"),
        (True, JSON, b'{"choices": []}'),
        (True, {}, b"data: {}\n\n"),
    ],
)
async def test_nonsense_with_status_200(
    plugin: Any, upstream: FakeUpstream, attempt: Any, stream: bool, headers: dict[str, str], body: bytes
):
    upstream.reply(Reply(headers=headers, parts=[body] if body else []))
    error = await failure(plugin(), attempt, stream=stream)
    assert (error.status, error.code) == (502, "upstream_malformed")
    assert error.can_fall_back
    assert "Sign in" not in error.message


async def test_a_redirect_is_not_followed(plugin: Any, upstream: FakeUpstream, attempt: Any):
    upstream.reply(Reply(status=308, headers={"location": f"{upstream.url}/elsewhere"}))
    error = await failure(plugin(), attempt)
    assert (error.status, error.code) == (502, "upstream_malformed")
    assert "base_url" in error.message
    assert len(upstream.requests) == 1


async def test_nobody_there(
    plugin: Any, attempt: Any, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
):
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with caplog.at_level(logging.WARNING, "gateway.plugin.provider.openai"):
        error = await failure(plugin(base_url=f"http://127.0.0.1:{port}/v1"), attempt)
    assert (error.status, error.code) == (502, "upstream_unreachable")
    assert error.message == "The provider 'acme' could not be reached."
    assert str(port) in caplog.text  # the operator learns where


async def test_silence(plugin: Any, upstream: FakeUpstream, attempt: Any):
    upstream.reply(Reply(ending="hang"))
    error = await failure(plugin(), attempt)
    assert (error.status, error.code) == (504, "upstream_timeout")
    upstream.reply(Reply(headers=JSON, parts=[b'{"choices'], ending="hang"))
    await upstream.released()
    error = await failure(plugin(), attempt)
    assert (error.status, error.code) == (504, "upstream_timeout")


async def test_an_answer_that_breaks_off(plugin: Any, upstream: FakeUpstream, attempt: Any):
    upstream.reply(Reply(headers=JSON, parts=[b'{"choices'], ending="cut"))
    error = await failure(plugin(), attempt)
    assert (error.status, error.code) == (502, "upstream_cut")


async def test_an_answer_that_is_too_large(plugin: Any, upstream: FakeUpstream, attempt: Any):
    upstream.reply(Reply(headers=JSON, parts=[b'{"a":"' + b"x" * 100_000 + b'"}']))
    error = await failure(plugin(), attempt)
    assert (error.status, error.code) == (502, "upstream_malformed")


@pytest.mark.parametrize(
    ("ending", "status", "code"), [("cut", 502, "upstream_cut"), ("hang", 504, "upstream_timeout")]
)
async def test_a_stream_that_breaks_off(
    plugin: Any, upstream: FakeUpstream, attempt: Any, ending: Any, status: int, code: str
):
    upstream.reply(Reply(headers=EVENTS, parts=[b"data: {}\n\n"], ending=ending))
    (provider,) = plugin().register_providers()
    answer: Answer = await provider.send(attempt("hi", stream=True))
    assert answer.stream is not None
    stream = aiter(answer.stream)
    assert await anext(stream) == b"data: {}\n\n"
    with pytest.raises(ProviderError) as caught:
        await anext(stream)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert answer.close is not None
    answer.close()
    await upstream.released()


@asynccontextmanager
async def raw(answer: bytes) -> AsyncGenerator[str]:
    """Serve these bytes, whatever is asked, and close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "answer",
    [
        b"220 ftp.example.com ready\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
async def test_what_is_not_http(plugin: Any, attempt: Any, answer: bytes):
    async with raw(answer) as url:
        error = await failure(plugin(base_url=url), attempt)
    assert (error.status, error.code) == (502, "upstream_malformed")
