"""Where requests go, with which credential, and what becomes of refusals: AI Studio and Vertex AI, played."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.errors import ConfigError, ProviderError
from gateway.plugin import Context
from gateway.protocols import ListsModels
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Attempt, Call, Dialect, Principal, Target
from gateway.upstream import Client
from gateway_gemini import Gemini
from gateway_gemini.config import GeminiConfig, address

KEY = "not-a-real-key-but-long-enough"
OK = Reply(headers={"content-type": "application/json"}, parts=[b"{}"])
CHAT: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
Make = Callable[..., Gemini]


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


@pytest.fixture
async def make(upstream: FakeUpstream) -> AsyncGenerator[Make]:
    """Make the plugin from its settings, by default towards `upstream`."""
    context = Context(client=Client(), database=None)  # pyright: ignore[reportArgumentType] - not used

    def plugin(**settings: Any) -> Gemini:
        given = {"base_url": f"{upstream.url}/v1", **settings}
        return Gemini("gemini", GeminiConfig.model_validate(given), context)

    yield plugin
    await context.client.close()


def attempt(
    body: dict[str, Any], dialect: Dialect, *, model: str = "gemini-x", stream: bool = False
) -> Attempt:
    call = Call(
        id="call_1",
        request_id="req_1",
        client_request_id=None,
        capability="chat",
        dialect=dialect,
        model=model,
        stream=stream,
        shows_usage=True,
        body=json.dumps(body).encode(),
        principal=Principal(tenant="default", authenticator="test"),
        received_at=0.0,
        forwarded=[(b"anthropic-beta", b"a-beta"), (b"anthropic-version", b"x")],
    )
    return Attempt(call=call, target=Target("gemini", model, dialect), number=1, body=call.body)


async def send(plugin: Gemini, attempt: Attempt) -> None:
    (provider,) = plugin.register_providers()
    await provider.send(attempt)


@pytest.mark.parametrize(
    ("dialect", "body", "model", "path"),
    [
        ("gemini.generate", CHAT, "gemini-x", "/v1/models/gemini-x:generateContent"),
        ("gemini.generate", CHAT, "tunedModels/mine", "/v1/tunedModels/mine:generateContent"),
        ("gemini.count_tokens", CHAT, "gemini-x", "/v1/models/gemini-x:countTokens"),
        ("gemini.embed", {"content": {}}, "e", "/v1/models/e:embedContent"),
        ("gemini.embed", {"requests": []}, "e", "/v1/models/e:batchEmbedContents"),
    ],
)
async def test_paths_of_ai_studio(
    make: Make, upstream: FakeUpstream, dialect: Dialect, body: dict[str, Any], model: str, path: str
) -> None:
    upstream.reply(OK)
    await send(make(api_key=KEY), attempt(body, dialect, model=model))
    (request,) = upstream.requests
    assert request.path == path
    assert request.headers["x-goog-api-key"] == KEY
    assert json.loads(request.body) == body


async def test_a_stream_is_asked_for_as_events(make: Make, upstream: FakeUpstream) -> None:
    upstream.reply(Reply(headers={"content-type": "text/event-stream"}, parts=[b"data: {}\n\n"]))
    await send(make(api_key=KEY), attempt(CHAT, "gemini.generate", stream=True))
    assert upstream.requests[0].path == "/v1/models/gemini-x:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("model", ["../files/x", "a/../b", "a?b", "", "a#b", "a b"])
async def test_names_that_are_no_models_are_refused(make: Make, upstream: FakeUpstream, model: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await send(make(api_key=KEY), attempt(CHAT, "gemini.generate", model=model))
    assert (caught.value.status, caught.value.can_fall_back) == (404, False)
    assert not upstream.requests


async def test_vertex_has_paths_of_its_own(make: Make, upstream: FakeUpstream) -> None:
    upstream.reply(OK)
    plugin = make(project="p", location="europe-west4", access_token="not-a-real-token-at-all")
    counted = {"generateContentRequest": {"model": "models/gemini-x", **CHAT}}
    await send(plugin, attempt(counted, "gemini.count_tokens"))
    await send(plugin, attempt({"instances": []}, "vertex.embed", model="gemini-embedding-001"))
    await send(plugin, attempt({"instances": []}, "gemini.images", model="imagen-4.0-generate-001"))
    count, embed, paint = upstream.requests
    place = "/v1/projects/p/locations/europe-west4/publishers/google/models"
    assert count.path == f"{place}/gemini-x:countTokens"
    assert json.loads(count.body) == CHAT
    assert embed.path == f"{place}/gemini-embedding-001:predict"
    assert paint.path == f"{place}/imagen-4.0-generate-001:predict"
    assert count.headers["authorization"] == "Bearer not-a-real-token-at-all"
    assert "x-goog-api-key" not in count.headers


async def test_claude_on_vertex(make: Make, upstream: FakeUpstream) -> None:
    upstream.reply(OK)
    plugin = make(project="p", publisher="anthropic", access_token="not-a-real-token-at-all")
    body: dict[str, Any] = {"model": "claude-x", "max_tokens": 5, "messages": []}
    await send(plugin, attempt(body, "anthropic.messages", model="claude-x@20260101"))
    (request,) = upstream.requests
    assert request.path == (
        "/v1/projects/p/locations/global/publishers/anthropic/models/claude-x@20260101:rawPredict"
    )
    sent = json.loads(request.body)
    assert sent == {"anthropic_version": "vertex-2023-10-16", "max_tokens": 5, "messages": []}
    assert request.headers["anthropic-beta"] == "a-beta"
    assert "anthropic-version" not in request.headers
    (provider,) = plugin.register_providers()
    assert provider.dialects == {"chat": "anthropic.messages"}
    assert provider.catalogue == "anthropic"


async def test_a_service_account_gets_a_token_and_keeps_it(make: Make, upstream: FakeUpstream) -> None:
    private = rsa.generate_private_key(65_537, 2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "client_email": "robot@example.com",
        "private_key": pem.decode(),
        "private_key_id": "k1",
        "token_uri": f"{upstream.url}/token",
    }
    token = {"access_token": "a-token-that-is-not-real", "expires_in": 3599}
    upstream.reply(
        Reply(headers={"content-type": "application/json"}, parts=[json.dumps(token).encode()]), OK
    )
    plugin = make(project="p", service_account=json.dumps(account))
    await send(plugin, attempt(CHAT, "gemini.generate"))
    await send(plugin, attempt(CHAT, "gemini.generate"))
    asked, *calls = upstream.requests
    assert asked.path == "/token"
    assert {one.headers["authorization"] for one in calls} == {"Bearer a-token-that-is-not-real"}
    assert len(calls) == 2
    (assertion,) = parse_qs(asked.body.decode())["assertion"]
    signed, _, signature = assertion.rpartition(".")
    private.public_key().verify(unpadded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(unpadded(signed.partition(".")[2]))
    assert (claims["iss"], claims["aud"]) == ("robot@example.com", account["token_uri"])
    assert claims["exp"] - claims["iat"] == 3600


async def test_a_refused_account_is_the_operators_matter(make: Make, upstream: FakeUpstream) -> None:
    pem = rsa.generate_private_key(65_537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"client_email": "r", "private_key": pem.decode(), "token_uri": f"{upstream.url}/token"}
    refusal = {"error": "invalid_grant", "error_description": "No such account."}
    json_body = {"content-type": "application/json"}
    upstream.reply(Reply(status=400, headers=json_body, parts=[json.dumps(refusal).encode()]))
    with pytest.raises(ProviderError) as caught:
        await send(make(project="p", service_account=json.dumps(account)), attempt(CHAT, "gemini.generate"))
    assert (caught.value.status, caught.value.can_fall_back) == (502, True)
    assert "invalid_grant" in caught.value.message


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def refusal(status: int, message: str, name: str, **more: Any) -> Reply:
    error = {"code": status, "message": message, "status": name, **more}
    body = json.dumps([{"error": error}]).encode()
    return Reply(status=status, headers={"content-type": "application/json"}, parts=[body])


async def test_a_key_that_is_not_valid_is_no_fault_of_the_client(make: Make, upstream: FakeUpstream) -> None:
    bad = refusal(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT")
    upstream.reply(bad, OK)
    await send(make(api_keys=[KEY, KEY + "-2"]), attempt(CHAT, "gemini.generate"))
    assert len({request.headers["x-goog-api-key"] for request in upstream.requests}) == 2


async def test_without_another_key_another_target_is_tried(make: Make, upstream: FakeUpstream) -> None:
    upstream.reply(refusal(400, "API key expired. Please renew the API key.", "INVALID_ARGUMENT"))
    with pytest.raises(ProviderError) as caught:
        await send(make(api_key=KEY), attempt(CHAT, "gemini.generate"))
    assert (caught.value.status, caught.value.can_fall_back) == (401, True)


async def test_a_delay_in_the_body_becomes_retry_after(make: Make, upstream: FakeUpstream) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "31.4s"}
    upstream.reply(refusal(429, "Slow down.", "RESOURCE_EXHAUSTED", details=[{"x": 1}, info]))
    with pytest.raises(ProviderError) as caught:
        await send(make(api_key=KEY), attempt(CHAT, "gemini.generate"))
    assert caught.value.code == "RESOURCE_EXHAUSTED"
    assert dict(caught.value.headers)[b"retry-after"] == b"32"


async def test_check_asks_for_the_models(make: Make, upstream: FakeUpstream) -> None:
    upstream.reply(OK)
    await make(api_key=KEY).check()
    assert upstream.requests[0].path == "/v1/models?pageSize=1"


async def test_the_service_is_asked_for_its_models(make: Make, upstream: FakeUpstream) -> None:
    listed = b'{"models": [{"name": "models/gemini-x"}, {"name": "models/gemini-y"}]}'
    upstream.reply(
        Reply(headers={"content-type": "application/json"}, parts=[listed]),
        refusal(400, "No.", "INVALID_ARGUMENT"),
    )
    (provider,) = make(api_key=KEY).register_providers()
    assert isinstance(provider, ListsModels)
    assert await provider.list_models() == ["gemini-x", "gemini-y"]
    assert upstream.requests[0].path == "/v1/models?pageSize=1000"
    with pytest.raises(ProviderError, match="No"):
        await provider.list_models()


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"api_key": KEY}, "https://generativelanguage.googleapis.com/v1beta"),
        ({"api_key": KEY, "vertex": True}, "https://aiplatform.googleapis.com/v1/publishers/google"),
        (
            {"project": "p", "access_token": KEY},
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google",
        ),
        (
            {"project": "p", "location": "eu", "access_token": KEY},
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/google",
        ),
        (
            {"project": "p", "location": "asia-east1", "access_token": KEY},
            "https://asia-east1-aiplatform.googleapis.com/v1/projects/p/locations/asia-east1/publishers/google",
        ),
    ],
)
def test_addresses(settings: dict[str, Any], url: str) -> None:
    assert address(GeminiConfig.model_validate(settings)) == url


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"base_url": None}, "api_key: required"),
        ({"api_key": KEY, "location": "us"}, "location: only for Vertex AI"),
        ({"api_key": KEY, "publisher": "anthropic"}, "publisher: only for Vertex AI"),
        ({"project": "p"}, "service_account: required for Vertex AI"),
        ({"vertex": True, "access_token": KEY}, "project: required"),
        ({"project": "p", "access_token": KEY, "service_account": "{}"}, "access_token: give it or"),
        ({"project": "p", "service_account": "{}"}, "service_account: must be the JSON key"),
        (
            {"project": "p", "service_account": '{"client_email": "a", "private_key": "b"}'},
            "service_account: its private_key is no RSA key",
        ),
    ],
)
async def test_settings_that_do_not_go_together(make: Make, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        make(**settings)
