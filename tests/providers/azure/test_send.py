"""Requests as they go out to Azure, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.errors import ProviderError
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Attempt
from gateway.wire import WIRES
from gateway_azure.provider import AzureProvider

Make = Callable[..., AzureProvider]
JSON = {"content-type": "application/json"}
GOOD = Reply(
    headers={**JSON, "apim-request-id": "a-1", "x-ms-region": "Sweden Central", "x-ms-deployment-name": "d"},
    parts=[b'{"choices": []}'],
)
FILTERED: dict[str, Any] = {
    "error": {
        "message": "The response was filtered, says not-a-real-key.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}},
            "seen": ["not-a-real-key"],
        },
    }
}


def to(attempt: Attempt, dialect: str) -> Attempt:
    target = msgspec.structs.replace(attempt.target, dialect=dialect)
    return msgspec.structs.replace(attempt, target=target)


@pytest.mark.parametrize(
    ("settings", "dialect", "path", "model"),
    [
        ({}, "openai.chat", "/openai/v1/chat/completions", "gpt-5"),
        ({}, "openai.embeddings", "/openai/v1/embeddings", "gpt-5"),
        ({}, "openai.responses", "/openai/v1/responses", "gpt-5"),
        ({"deployments": {"gpt-5": "mine"}}, "openai.chat", "/openai/v1/chat/completions", "mine"),
        (
            {"api_version": "2024-10-21"},
            "openai.chat",
            "/openai/deployments/gpt-5/chat/completions?api-version=2024-10-21",
            "gpt-5",
        ),
        (
            {"api_version": "2025-04-01-preview", "deployments": {"gpt-5": "a b"}},
            "openai.chat",
            "/openai/deployments/a%20b/chat/completions?api-version=2025-04-01-preview",
            "gpt-5",
        ),
        (
            {"api_version": "2025-04-01-preview", "deployments": {"gpt-5": "mine"}},
            "openai.responses",
            "/openai/responses?api-version=2025-04-01-preview",
            "mine",
        ),
    ],
)
async def test_where_calls_go(
    provider: Make,
    upstream: FakeUpstream,
    attempt: Any,
    settings: dict[str, Any],
    dialect: str,
    path: str,
    model: str,
) -> None:
    upstream.reply(GOOD)
    answer = await provider(**settings).send(to(attempt("Hi", model="gpt-5", new_field=1), dialect))
    (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", path)
    assert request.headers["api-key"] == "not-a-real-key"
    assert "authorization" not in request.headers
    assert request.headers["content-type"] == "application/json"
    sent = json.loads(request.body)
    assert (sent["model"], sent["new_field"]) == (model, 1)
    assert dict(answer.headers) == {
        b"content-type": b"application/json",
        b"apim-request-id": b"a-1",
        b"x-ms-region": b"Sweden Central",
    }


async def test_bytes_pass_untouched_where_nothing_is_renamed(
    provider: Make, upstream: FakeUpstream, attempt: Any
) -> None:
    upstream.reply(GOOD)
    one = attempt("Hi")
    await provider().send(one)
    assert upstream.requests[0].body == one.body


async def test_what_a_content_filter_found_is_kept(
    provider: Make, upstream: FakeUpstream, attempt: Any
) -> None:
    upstream.reply(Reply(status=400, headers=JSON, parts=[json.dumps(FILTERED).encode()]))
    with pytest.raises(ProviderError) as caught:
        await provider().send(attempt("Hi"))
    error = caught.value
    assert (error.status, error.code, error.can_fall_back) == (400, "content_filter", False)
    shown = json.loads(WIRES["openai.chat"].error(error))["error"]
    assert shown["message"] == "The response was filtered, says [redacted]."
    assert shown["innererror"] == {**FILTERED["error"]["innererror"], "seen": ["[redacted]"]}


async def test_filter_results_in_a_stream_pass(provider: Make, upstream: FakeUpstream, attempt: Any) -> None:
    found: dict[str, Any] = {
        "choices": [],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
    }
    events = [
        f"data: {json.dumps(found)}\n\n".encode(),
        b'data: {"choices": [{"delta": {"content": "Hi"}, "content_filter_results": {"hate": {}}}]}\n\n',
        b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n',
        b"data: [DONE]\n\n",
    ]
    upstream.reply(Reply(headers={"content-type": "text/event-stream"}, parts=events))
    one = attempt("Hi", stream=True)
    answer = await provider().send(one)
    assert answer.stream is not None
    reader = WIRES["openai.chat"].reader(one.call)
    shown = b"".join([reader.feed(chunk) async for chunk in answer.stream])
    assert shown == b"".join(events)


async def test_keys_take_turns_when_one_is_limited(
    provider: Make, upstream: FakeUpstream, attempt: Any
) -> None:
    refusal = b'{"error": {"code": "429", "message": "Slow down."}}'
    upstream.reply(Reply(status=429, headers={**JSON, "retry-after-ms": "900"}, parts=[refusal]), GOOD)
    await provider(api_keys=["not-a-real-key-1", "not-a-real-key-2"]).send(attempt("Hi"))
    assert len({request.headers["api-key"] for request in upstream.requests}) == 2


async def test_retry_after_in_milliseconds_is_passed_on(
    provider: Make, upstream: FakeUpstream, attempt: Any
) -> None:
    refusal = b'{"error": {"code": "429", "message": "Slow down."}}'
    headers = {**JSON, "retry-after-ms": "900", "retry-after": "1"}
    upstream.reply(Reply(status=429, headers=headers, parts=[refusal]))
    with pytest.raises(ProviderError) as caught:
        await provider().send(attempt("Hi"))
    assert set(caught.value.headers) == {(b"retry-after-ms", b"900"), (b"retry-after", b"1")}


@pytest.mark.parametrize(
    ("settings", "path"),
    [({}, "/openai/v1/models"), ({"api_version": "2024-10-21"}, "/openai/models?api-version=2024-10-21")],
)
async def test_check(provider: Make, upstream: FakeUpstream, settings: dict[str, str], path: str) -> None:
    upstream.reply(Reply(headers=JSON, parts=[b"{}"]))
    await provider(**settings).check()
    assert [(request.method, request.path) for request in upstream.requests] == [("GET", path)]


async def test_check_of_a_bad_key(provider: Make, upstream: FakeUpstream) -> None:
    upstream.reply(Reply(status=401, headers=JSON, parts=[b'{"error": {"code": "401", "message": "No."}}']))
    with pytest.raises(ProviderError) as caught:
        await provider().check()
    assert caught.value.status == 401


async def test_names_of_models_do_not_fill_the_memory(
    provider: Make, upstream: FakeUpstream, attempt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway_azure.provider._HEADS", 2)
    upstream.reply(GOOD)
    made = provider(api_version="2024-10-21")
    for number in range(5):
        await made.send(attempt("Hi", model=f"m{number}"))
    (credential,) = made.credentials
    assert len(credential.prepared) <= 2
