"""What goes out to Ollama, and what comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from gateway.errors import ProviderError
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.testing.fakes import make_call
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Attempt, Dialect, Target
from gateway.upstream import Client, Limits, Timeouts
from gateway.wire import exchange
from gateway_ollama import Ollama
from gateway_ollama.config import OllamaConfig

JSON = {"content-type": "application/json; charset=utf-8"}
CHAT = {"model": "qwen3:8b", "messages": [{"role": "user", "content": "hi"}]}
TAGS = b'{"models": [{"name": "qwen3:8b", "size": 1}, {"name": "nomic-embed-text:latest"}]}'


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


@pytest.fixture
async def plugin(upstream: FakeUpstream) -> AsyncGenerator[Callable[..., Ollama]]:
    client = Client(timeouts=Timeouts(first_byte=2), limits=Limits())
    context = Context(client=client, database=None)  # pyright: ignore[reportArgumentType] - not used

    def make(**settings: Any) -> Ollama:
        config = OllamaConfig.model_validate({"base_url": upstream.url, **settings})
        return Ollama("ollama", config, context)

    yield make
    await client.close()


def provider_of(plugin: Ollama) -> Provider:
    (provider,) = plugin.register_providers()
    return provider


def attempt(
    body: dict[str, Any], *, client: Dialect = "openai.chat", provider: Dialect = "ollama.chat"
) -> Attempt:
    call = make_call(body, dialect=client)
    sent = exchange(call, provider, provider="ollama").prepare(call.model)
    return Attempt(call=call, target=Target("ollama", call.model, provider), number=1, body=sent)


async def test_a_chat_goes_out(plugin: Any, upstream: FakeUpstream):
    upstream.reply(Reply(headers=JSON, parts=[b'{"message": {}, "done": true}']))
    await provider_of(plugin()).send(attempt(CHAT))
    (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", "/api/chat")
    assert json.loads(request.body) == {**CHAT, "stream": False}
    assert "authorization" not in request.headers


async def test_embeddings_go_out_with_a_key(plugin: Any, upstream: FakeUpstream):
    upstream.reply(Reply(headers=JSON, parts=[b'{"embeddings": []}']))
    body = {"model": "nomic-embed-text", "input": "hi"}
    provider = provider_of(plugin(api_key="ollama-not-a-real-key"))
    await provider.send(attempt(body, client="openai.embeddings", provider="ollama.embed"))
    (request,) = upstream.requests
    assert request.path == "/api/embed"
    assert request.headers["authorization"] == "Bearer ollama-not-a-real-key"


@pytest.mark.parametrize(
    "said",
    ["model 'qwen3:8b' not found", 'model "qwen3:8b" not found, try pulling it first'],
)
async def test_a_missing_model_says_how_to_get_it(plugin: Any, upstream: FakeUpstream, said: str):
    upstream.reply(Reply(status=404, headers=JSON, parts=[json.dumps({"error": said}).encode()]))
    with pytest.raises(ProviderError, match="ollama pull qwen3:8b") as caught:
        await provider_of(plugin()).send(attempt(CHAT))
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")
    assert caught.value.can_fall_back, "another server may have it"


async def test_other_refusals_keep_their_words(plugin: Any, upstream: FakeUpstream):
    upstream.reply(Reply(status=400, headers=JSON, parts=[b'{"error": "\\"m\\" does not support thinking"}']))
    with pytest.raises(ProviderError, match="does not support thinking") as caught:
        await provider_of(plugin()).send(attempt(CHAT))
    assert caught.value.status == 400


async def test_an_error_before_the_stream_is_an_error(plugin: Any, upstream: FakeUpstream):
    upstream.reply(Reply(status=500, headers=JSON, parts=[b'{"error": "out of memory"}']))
    with pytest.raises(ProviderError, match="out of memory"):
        await provider_of(plugin()).send(attempt({**CHAT, "stream": True}))


async def test_check_looks_for_the_models(plugin: Any, upstream: FakeUpstream):
    upstream.reply(Reply(headers=JSON, parts=[TAGS]))
    await plugin(models=["qwen3:8b", "nomic-embed-text"]).check()
    assert upstream.requests[0].path == "/api/tags"
    with pytest.raises(ProviderError, match=r"ollama pull llama4 && ollama pull hf\.co/x/y:q4"):
        await plugin(models=["llama4", "qwen3:8b", "hf.co/x/y:q4"]).check()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(status=502, headers=JSON, parts=[b"{}"]), "502"),
        (Reply(headers={"content-type": "text/html"}, parts=[b"<html>"]), "base_url"),
        (Reply(ending="hang"), "did not begin"),
    ],
)
async def test_check_says_what_is_wrong(plugin: Any, upstream: FakeUpstream, reply: Reply, said: str):
    upstream.reply(reply)
    with pytest.raises(ProviderError, match=said):
        await plugin().check()
