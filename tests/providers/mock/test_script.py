from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from gateway.errors import InvalidRequest, ProviderError
from gateway.types import Answer
from gateway_mock.script import Rule, find


def text(answer: Answer) -> str:
    return msgspec.json.decode(answer.body)["choices"][0]["message"]["content"]


async def test_directives_are_not_echoed_and_other_words_are(mock: Any, attempt: Any):
    answer = await mock().send(attempt("@cached=2 Write to @john or a@b.c @chunks @no-usage"))
    assert text(answer) == "Write to @john or a@b.c @chunks"
    assert "usage" not in msgspec.json.decode(answer.body)


async def test_the_first_rule_that_matches_counts_and_directives_count_more(mock: Any, attempt: Any):
    provider = mock(
        rules=[
            {"match": "REFUND", "text": "Five days."},
            {"match": "refund", "text": "never reached"},
            {"model": "gpt-*", "chunks": 3},
        ]
    )
    assert text(await provider.send(attempt("My refund?"))) == "Five days."
    assert text(await provider.send(attempt("Else?", model="gpt-x"))) == "lorem ipsum dolor"
    assert text(await provider.send(attempt("Else? @chunks=1", model="gpt-x"))) == "lorem"
    assert text(await provider.send(attempt("Else?"))) == "Else?"


async def test_models(mock: Any, attempt: Any):
    provider = mock()
    assert "lorem" in provider.models
    assert len(text(await provider.send(attempt("hi", model="lorem"))).split()) == 50
    assert text(await provider.send(attempt("hi", model="whatever"))) == "hi"
    with pytest.raises(ProviderError) as caught:
        await provider.send(attempt("hi", model="error"))
    assert caught.value.status == 500


@pytest.mark.parametrize(
    ("said", "status", "kind", "code", "falls_back"),
    [
        ("@status=429 @retry-after=3", 429, "rate_limit_error", "rate_limit_exceeded", True),
        ("@status=400", 400, "invalid_request_error", "bad_request", False),
        ("@status=401 @code=gone", 401, "invalid_request_error", "gone", True),
        ("@status=599", 599, "server_error", "internal_error", True),
    ],
)
async def test_errors(
    mock: Any, attempt: Any, said: str, status: int, kind: str, code: str, falls_back: bool
):
    with pytest.raises(ProviderError) as caught:
        await mock().send(attempt(said))
    error = caught.value
    assert (error.status, error.type, error.code, error.can_fall_back) == (status, kind, code, falls_back)
    assert error.provider == "mock"
    assert error.headers == (((b"retry-after", b"3"),) if status == 429 else ())


async def collect(answer: Answer) -> tuple[list[bytes], ProviderError | None]:
    seen: list[bytes] = []
    try:
        assert answer.stream is not None
        async for event in answer.stream:
            seen.append(event)  # noqa: PERF401 - what came before the error counts
    except ProviderError as error:
        return seen, error
    return seen, None


async def test_a_stream_is_cut(mock: Any, attempt: Any):
    seen, error = await collect(await mock().send(attempt("@chunks=10 @cut=3", stream=True)))
    assert len(seen) == 3
    assert error is not None
    assert error.code == "upstream_cut"
    with pytest.raises(ProviderError, match="middle"):
        await mock().send(attempt("@cut"))


async def test_a_stream_stops_coming(mock: Any, attempt: Any):
    provider = mock(hang_seconds=0.01)
    seen, error = await collect(await provider.send(attempt("@chunks=10 @hang=2", stream=True)))
    assert len(seen) == 2
    assert error is not None
    assert (error.status, error.code) == (504, "upstream_timeout")
    with pytest.raises(ProviderError) as caught:
        await provider.send(attempt("@hang"))
    assert caught.value.status == 504


async def test_a_hanging_call_can_be_cancelled(mock: Any, attempt: Any):
    task = asyncio.create_task(mock().send(attempt("@hang")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_malformed_and_empty(mock: Any, attempt: Any):
    answer = await mock().send(attempt("hello @malformed"))
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(answer.body)
    seen, _ = await collect(await mock().send(attempt("hello @malformed", stream=True)))
    assert b'data: {"id":"chatcmpl-\n\n' in seen
    assert (await mock().send(attempt("@empty"))).body == b""
    assert await collect(await mock().send(attempt("@empty", stream=True))) == ([], None)


async def test_chunks_and_usage(mock: Any, attempt: Any):
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    seen, _ = await collect(await mock().send(attempt("@chunks=50 @cached=1", **asked)))
    assert len(seen) == 1 + 50 + 1 + 1 + 1  # role, content, end, usage, [DONE]
    usage = msgspec.json.decode(seen[-2][6:])["usage"]
    assert usage["completion_tokens"] == 50
    assert usage["prompt_tokens_details"]["cached_tokens"] == 1
    seen, _ = await collect(await mock().send(attempt("@chunks=50 @no-usage", **asked)))
    assert not any(b"prompt_tokens" in event for event in seen)


async def test_pauses(mock: Any, attempt: Any, monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await collect(await mock().send(attempt("one @delay=200 @gap=10", stream=True)))
    assert slept[0] == 0.2
    assert set(slept[1:]) == {0.01}


async def test_a_closed_stream_ends(mock: Any, attempt: Any):
    answer = await mock().send(attempt("@chunks=50", stream=True))
    await anext(answer.stream)
    answer.close()
    answer.close()
    assert await collect(answer) == ([], None)


def test_a_directive_that_makes_no_sense_is_refused():
    with pytest.raises(InvalidRequest, match="@retry-after"):
        find((), "echo", "@retry-after=soon")
    with pytest.raises(InvalidRequest, match="@status"):
        find((), "echo", "@status=200")


def test_a_rule_with_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="statsu"):
        Rule(statsu=500)  # pyright: ignore[reportCallIssue] - that is the point
