"""What goes out to Cohere, and what comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from gateway.errors import ConfigError, ProviderError
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.testing.fakes import make_call
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Attempt, Dialect, Target
from gateway.upstream import Client, Limits, Timeouts
from gateway.wire import exchange
from gateway_cohere import Cohere
from gateway_cohere.config import CohereConfig

JSON = {"content-type": "application/json"}
RERANK = {"model": "rerank-v3.5", "query": "q", "documents": ["a", "b"]}


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as server:
        server.reply(Reply(headers=JSON, parts=[b'{"results": []}']))
        yield server


@pytest.fixture
async def plugin(upstream: FakeUpstream) -> AsyncGenerator[Callable[..., Cohere]]:
    client = Client(timeouts=Timeouts(first_byte=2), limits=Limits())
    context = Context(client=client, database=None)  # pyright: ignore[reportArgumentType] - not used

    def make(**settings: Any) -> Cohere:
        given = {"base_url": upstream.url, "api_key": "co-not-a-real-key", **settings}
        return Cohere("cohere", CohereConfig.model_validate(given), context)

    yield make
    await client.close()


def provider_of(plugin: Cohere) -> Provider:
    (provider,) = plugin.register_providers()
    return provider


def attempt(body: dict[str, Any], *, client: Dialect, provider: Dialect) -> Attempt:
    call = make_call(body, dialect=client)
    sent = exchange(call, provider, provider="cohere").prepare(call.model)
    return Attempt(call=call, target=Target("cohere", call.model, provider), number=1, body=sent)


def rerank(**fields: Any) -> Attempt:
    return attempt({**RERANK, **fields}, client="cohere.rerank", provider="cohere.rerank")


async def test_a_chat_goes_to_v2(plugin: Any, upstream: FakeUpstream):
    chat = {"model": "command-a", "messages": [{"role": "user", "content": "hi"}]}
    provider = provider_of(plugin(client_name="shop", headers={"X-Title": "Gateway"}))
    await provider.send(attempt(chat, client="openai.chat", provider="cohere.chat"))
    (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", "/v2/chat")
    assert json.loads(request.body) == chat
    expected = {
        "authorization": "Bearer co-not-a-real-key",
        "content-type": "application/json",
        "x-client-name": "shop",
        "x-title": "Gateway",
    }
    assert expected.items() <= request.headers.items()


async def test_embeddings_go_to_v2(plugin: Any, upstream: FakeUpstream):
    body = {"model": "embed-v4.0", "input": "hi"}
    await provider_of(plugin()).send(attempt(body, client="openai.embeddings", provider="cohere.embed"))
    assert upstream.requests[0].path == "/v2/embed"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "/v2/rerank"),
        ({"return_documents": False, "max_tokens_per_doc": 100, "new": {"a": 1}}, "/v2/rerank"),
        ({"return_documents": True}, "/v1/rerank"),
        ({"rank_fields": ["text"]}, "/v1/rerank"),
        ({"max_chunks_per_doc": 3}, "/v1/rerank"),
        ({"documents": [{"text": "a"}]}, "/v1/rerank"),
        ({"return_documents": "yes"}, "/v2/rerank"),
    ],
)
async def test_rerank_goes_to_the_version_that_has_its_fields(
    plugin: Any, upstream: FakeUpstream, fields: dict[str, Any], path: str
):
    sent = rerank(**fields)
    await provider_of(plugin()).send(sent)
    (request,) = upstream.requests
    assert (request.path, request.body) == (path, sent.body)


async def test_a_refused_key_gives_way_to_the_next(plugin: Any):
    async with FakeUpstream() as upstream:
        upstream.reply(
            Reply(status=401, headers=JSON, parts=[b'{"message": "invalid api token"}']),
            Reply(headers=JSON, parts=[b'{"results": []}']),
        )
        provider = provider_of(
            plugin(base_url=upstream.url, api_key=None, api_keys=["co-key-one", "co-key-two"])
        )
        assert (await provider.send(rerank())).status == 200
        assert len({request.headers["authorization"] for request in upstream.requests}) == 2


async def test_check_asks_for_a_model(plugin: Any):
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(status=401, headers=JSON, parts=[b'{"message": "invalid api token"}']))
        with pytest.raises(ProviderError, match="invalid api token"):
            await plugin(base_url=upstream.url).check()
        assert upstream.requests[0].path == "/v1/models?page_size=1"


async def test_the_service_is_asked_for_its_models(plugin: Any):
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(headers=JSON, parts=[b'{"models": [{"name": "command-x"}]}']))
        provider: Any = provider_of(plugin(base_url=upstream.url))
        assert await provider.list_models() == ["command-x"]
        assert upstream.requests[0].path == "/v1/models?page_size=1000"


def test_coheres_own_service_needs_a_key(plugin: Any):
    with pytest.raises(ConfigError, match="api_key: required"):
        plugin(base_url=None, api_key=None)
