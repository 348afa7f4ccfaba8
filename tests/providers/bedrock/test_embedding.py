"""Embeddings: one request or many, and tokens that stand in a header."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import ProviderError
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.wire import exchange
from gateway_bedrock.provider import BedrockProvider

TITAN = "amazon.titan-embed-text-v2:0"
JSON = {"content-type": "application/json"}


def titan(vector: list[float], tokens: int) -> Reply:
    body = {"embedding": vector, "inputTextTokenCount": tokens}
    return Reply(headers=JSON, parts=[json.dumps(body).encode()])


async def test_one_request_for_each_text(
    provider: Callable[..., BedrockProvider], upstream: FakeUpstream, attempt: Any
) -> None:
    upstream.reply(titan([0.5], 2))
    texts = [f"text {number}" for number in range(20)]
    one = attempt({"model": TITAN, "input": texts}, "openai.embeddings", to="bedrock.embeddings")
    answer = await provider().send(one)
    sent = [json.loads(request.body)["inputText"] for request in upstream.requests]
    assert sorted(sent) == sorted(texts)
    assert {request.path for request in upstream.requests} == {"/model/amazon.titan-embed-text-v2%3A0/invoke"}
    shown, usage = exchange(one.call, "bedrock.embeddings", provider="aws").whole(answer.body)
    assert [item["embedding"] for item in json.loads(shown)["data"]] == [[0.5]] * 20
    assert usage.prompt_tokens == 40
    assert not usage.estimated


async def test_answers_come_in_the_order_of_the_texts(
    provider: Callable[..., BedrockProvider], upstream: FakeUpstream, attempt: Any
) -> None:
    upstream.reply(titan([1.0], 1), titan([2.0], 1), titan([3.0], 1))
    one = attempt({"model": TITAN, "input": ["a", "b", "c"]}, "openai.embeddings", to="bedrock.embeddings")
    answer = await provider().send(one)
    served = {
        json.loads(request.body)["inputText"]: float(number)
        for number, request in enumerate(upstream.requests, start=1)
    }
    vectors = [item["embedding"] for item in json.loads(answer.body)]
    assert vectors == [[served["a"]], [served["b"]], [served["c"]]]


async def test_one_that_fails_fails_all(
    provider: Callable[..., BedrockProvider], upstream: FakeUpstream, attempt: Any
) -> None:
    headers = {**JSON, "x-amzn-errortype": "ThrottlingException"}
    upstream.reply(titan([1.0], 1), Reply(status=429, headers=headers, parts=[b'{"message": "No."}']))
    one = attempt({"model": TITAN, "input": ["a", "b", "c"]}, "openai.embeddings", to="bedrock.embeddings")
    with pytest.raises(ProviderError) as caught:
        await provider().send(one)
    assert (caught.value.status, caught.value.code) == (429, "ThrottlingException")


async def test_tokens_in_a_header(
    provider: Callable[..., BedrockProvider], upstream: FakeUpstream, attempt: Any
) -> None:
    body = {"embeddings": {"float": [[0.1], [0.2]]}}
    headers = {**JSON, "x-amzn-bedrock-input-token-count": "9"}
    upstream.reply(Reply(headers=headers, parts=[json.dumps(body).encode() + b"\n"]))
    request = {"model": "cohere.embed-v4:0", "input": ["a", "b"]}
    one = attempt(request, "openai.embeddings", to="bedrock.embeddings")
    answer = await provider().send(one)
    _, usage = exchange(one.call, "bedrock.embeddings", provider="aws").whole(answer.body)
    assert usage.prompt_tokens == 9
    assert dict(answer.headers) == {b"content-type": b"application/json"}
