"""What goes out, and what comes back when all is well."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.errors import ProviderError
from gateway.protocols import Provider
from gateway.testing.upstream import FakeUpstream, Reply
from gateway_openai import OpenAI

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}
COMPLETION = b'{"id": "1", "object": "chat.completion", "choices": [], "unknown": [1, 2]}'


def provider_of(plugin: OpenAI) -> Provider:
    (provider,) = plugin.register_providers()
    return provider


async def test_a_request_goes_out_as_it_is(plugin: Any, upstream: FakeUpstream, attempt: Any):
    upstream.reply(Reply(headers=JSON, parts=[COMPLETION]))
    provider = provider_of(
        plugin(
            api_key="sk-test-not-real",
            organization="org-1",
            project="proj-1",
            headers={"X-Title": "Gateway", "User-Agent": "custom"},
        )
    )
    sent = attempt("hi", temperature=0.5, unheard_of={"a": [1]})
    answer = await provider.send(sent)
    assert (answer.status, answer.body, answer.stream) == (200, COMPLETION, None)
    (request,) = upstream.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/chat/completions", sent.body)
    expected = {
        "authorization": "Bearer sk-test-not-real",
        "content-type": "application/json",
        "openai-organization": "org-1",
        "openai-project": "proj-1",
        "x-title": "Gateway",
        "user-agent": "custom",
    }
    assert expected.items() <= request.headers.items()


async def test_embeddings_have_a_path_of_their_own(plugin: Any, upstream: FakeUpstream, attempt: Any):
    upstream.reply(Reply(headers=JSON, parts=[b'{"object":"list","data":[]}']))
    await provider_of(plugin()).send(attempt({"input": "a"}, capability="embedding"))
    assert upstream.requests[0].path == "/v1/embeddings"
    assert "authorization" not in upstream.requests[0].headers


async def test_a_stream_comes_as_it_is(plugin: Any, upstream: FakeUpstream, attempt: Any):
    parts = [b'data: {"choices":[]}\n\n', b"data: [DONE]", b"\n\n"]
    upstream.reply(Reply(headers=EVENTS, parts=parts))
    answer = await provider_of(plugin()).send(attempt("hi", stream=True))
    assert answer.stream is not None
    assert b"".join([chunk async for chunk in answer.stream]) == b"".join(parts)


async def test_only_harmless_headers_are_passed_on(plugin: Any, upstream: FakeUpstream, attempt: Any):
    headers = {
        **JSON,
        "openai-processing-ms": "12",
        "openai-organization": "the-operators",
        "x-ratelimit-remaining-requests": "99",
        "set-cookie": "a=b",
        "server": "cloudflare",
    }
    upstream.reply(Reply(headers=headers, parts=[COMPLETION]))
    answer = await provider_of(plugin()).send(attempt("hi"))
    assert dict(answer.headers) == {b"content-type": b"application/json", b"openai-processing-ms": b"12"}


@pytest.mark.parametrize(("preset", "kept"), [("mistral", False), ("openai", True)])
async def test_stream_options_are_taken_out_where_they_are_refused(
    plugin: Any, upstream: FakeUpstream, attempt: Any, preset: str, kept: bool
):
    upstream.reply(Reply(headers=EVENTS, parts=[b"data: [DONE]\n\n"]))
    provider = provider_of(plugin(preset=preset))
    for options in ({"stream_options": {"include_usage": True}}, {}):
        answer = await provider.send(attempt("hi", stream=True, seed=7, **options))
        assert answer.close is not None
        answer.close()
    with_options, without = (msgspec.json.decode(request.body) for request in upstream.requests)
    assert ("stream_options" in with_options) is kept
    assert with_options["seed"] == without["seed"] == 7
    assert "stream_options" not in without


async def test_an_answer_may_hold_an_error_that_is_null(plugin: Any, upstream: FakeUpstream, attempt: Any):
    body = b'{"error": null, "choices": []}'
    upstream.reply(Reply(headers=JSON, parts=[body]))
    assert (await provider_of(plugin()).send(attempt("hi"))).body == body


async def test_check_asks_for_the_models_with_every_key(plugin: Any, upstream: FakeUpstream):
    refusal = b'{"error": {"message": "no such key", "code": "invalid_api_key"}}'
    upstream.reply(Reply(headers=JSON, parts=[b'{"data":[]}']), Reply(status=401, parts=[refusal]))
    with pytest.raises(ProviderError, match="no such key"):
        await plugin(api_keys=["one", "two"]).check()
    assert [request.path for request in upstream.requests] == ["/v1/models"] * 2
    assert [request.headers["authorization"] for request in upstream.requests] == ["Bearer one", "Bearer two"]


async def test_the_service_is_asked_for_its_models(plugin: Any, upstream: FakeUpstream):
    upstream.reply(
        Reply(headers=JSON, parts=[b'{"data":[{"id":"gpt-x"}]}']), Reply(headers=JSON, parts=[b"<html>"])
    )
    provider: Any = provider_of(plugin())
    assert await provider.list_models() == ["gpt-x"]
    with pytest.raises(ProviderError, match="no list of models"):
        await provider.list_models()
    silent: Any = provider_of(plugin(preset="perplexity"))
    assert await silent.list_models() == ()


async def test_check_asks_nothing_of_a_service_without_such_a_list(plugin: Any, upstream: FakeUpstream):
    await plugin(preset="perplexity").check()
    assert upstream.requests == []
