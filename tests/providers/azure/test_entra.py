"""Tokens of Entra ID: fetched once, renewed in time, and clear words when there are none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.errors import ProviderError
from gateway.testing.upstream import FakeUpstream, Reply
from gateway_azure.provider import AzureProvider

Make = Callable[..., AzureProvider]
JSON = {"content-type": "application/json"}
GOOD = Reply(headers=JSON, parts=[b'{"choices": []}'])
APPLICATION = {"tenant_id": "a-tenant", "client_id": "a-client", "client_secret": "not-a-real-secret"}


def token(value: str, seconds: int | str = 3599) -> Reply:
    body = {"token_type": "Bearer", "expires_in": seconds, "access_token": value}
    return Reply(headers=JSON, parts=[json.dumps(body).encode()])


def used(upstream: FakeUpstream) -> list[str]:
    return [request.headers["authorization"] for request in upstream.requests]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that tokens expire by."""
    clock = [1000.0]
    for module in ("gateway.provider.service", "gateway.provider.renewal"):
        monkeypatch.setattr(f"{module}.time.monotonic", lambda: clock[0])
    return clock


async def test_an_application_asks_for_a_token(
    provider: Make, upstream: FakeUpstream, entra: FakeUpstream, attempt: Any
) -> None:
    entra.reply(token("one"))
    upstream.reply(GOOD)
    made = provider(**APPLICATION, authority=entra.url)
    await made.send(attempt("Hi"))
    await made.send(attempt("Hi"))
    (asked,) = entra.requests
    assert (asked.method, asked.path) == ("POST", "/a-tenant/oauth2/v2.0/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["a-client"],
        "client_secret": ["not-a-real-secret"],
        "scope": ["https://cognitiveservices.azure.com/.default"],
    }
    assert used(upstream) == ["Bearer one", "Bearer one"]
    assert "api-key" not in upstream.requests[0].headers


async def test_a_machine_asks_for_a_token(
    provider: Make, upstream: FakeUpstream, entra: FakeUpstream, attempt: Any
) -> None:
    entra.reply(token("one", "86399"))
    upstream.reply(GOOD)
    made = provider(managed_identity=True, client_id="an-identity", identity_url=entra.url)
    await made.send(attempt("Hi"))
    (asked,) = entra.requests
    url = urlsplit(asked.path)
    assert (asked.method, url.path) == ("GET", "/metadata/identity/oauth2/token")
    assert asked.headers["metadata"] == "true"
    assert parse_qs(url.query) == {
        "api-version": ["2018-02-01"],
        "resource": ["https://cognitiveservices.azure.com"],
        "client_id": ["an-identity"],
    }
    assert used(upstream) == ["Bearer one"]


async def test_a_token_is_renewed_before_it_expires(
    provider: Make, upstream: FakeUpstream, entra: FakeUpstream, attempt: Any, now: list[float]
) -> None:
    entra.reply(token("one", 3600), token("two", 3600))
    upstream.reply(GOOD)
    made = provider(**APPLICATION, authority=entra.url)
    await made.send(attempt("Hi"))
    now[0] += 3299
    await made.send(attempt("Hi"))
    now[0] += 1
    await made.send(attempt("Hi"))
    assert used(upstream) == ["Bearer one", "Bearer one", "Bearer two"]
    assert len(entra.requests) == 2


async def test_a_token_is_used_to_its_end_while_there_is_no_other(
    provider: Make, upstream: FakeUpstream, entra: FakeUpstream, attempt: Any, now: list[float]
) -> None:
    away = Reply(status=503, parts=[b"away"])
    entra.reply(token("one", 3600), away, away, token("two", 3600))
    upstream.reply(GOOD)
    made = provider(**APPLICATION, authority=entra.url)
    for seconds in (0, 3300, 14, 1, 15):
        now[0] += seconds
        await made.send(attempt("Hi"))
    assert used(upstream) == [*["Bearer one"] * 4, "Bearer two"]


async def test_a_short_token_is_used_for_half_its_life(
    provider: Make, upstream: FakeUpstream, entra: FakeUpstream, attempt: Any, now: list[float]
) -> None:
    entra.reply(token("one", 100), token("two", 100))
    upstream.reply(GOOD)
    made = provider(**APPLICATION, authority=entra.url)
    for seconds in (0, 49, 1):
        now[0] += seconds
        await made.send(attempt("Hi"))
    assert used(upstream) == ["Bearer one", "Bearer one", "Bearer two"]


async def test_many_calls_wait_for_one_token(
    provider: Make, upstream: FakeUpstream, entra: FakeUpstream, attempt: Any
) -> None:
    entra.reply(token("one"))
    upstream.reply(GOOD)
    made = provider(**APPLICATION, authority=entra.url)
    await asyncio.gather(*(made.send(attempt("Hi")) for _ in range(10)))
    assert len(entra.requests) == 1
    assert set(used(upstream)) == {"Bearer one"}


async def test_a_call_that_is_cancelled_takes_no_token_from_the_others(
    provider: Make, upstream: FakeUpstream, entra: FakeUpstream, attempt: Any
) -> None:
    entra.reply(token("one"))
    upstream.reply(GOOD)
    made = provider(**APPLICATION, authority=entra.url)
    first = asyncio.create_task(made.send(attempt("Hi")))
    second = asyncio.create_task(made.send(attempt("Hi")))
    await entra.reached()
    first.cancel()
    await second
    assert first.cancelled()
    assert len(entra.requests) == 1


async def test_a_refused_application(
    provider: Make,
    upstream: FakeUpstream,
    entra: FakeUpstream,
    attempt: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = {"error": "invalid_client", "error_description": "AADSTS7000215: not-a-real-secret is wrong"}
    entra.reply(Reply(status=401, headers=JSON, parts=[json.dumps(refused).encode()]), token("two"))
    upstream.reply(GOOD)
    made = provider(**APPLICATION, authority=entra.url)
    with pytest.raises(ProviderError) as caught:
        await made.send(attempt("Hi"))
    error = caught.value
    assert (error.status, error.code, error.can_fall_back) == (502, "upstream_authentication", True)
    assert error.message == "The provider 'azure' got no token from Entra ID (invalid_client)."
    assert "AADSTS7000215: [redacted] is wrong" in caplog.text
    await made.send(attempt("Hi"))  # the next call asks again
    assert used(upstream) == ["Bearer two"]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(headers=JSON, parts=[b'{"token": 1}']), "upstream_malformed"),
        (Reply(headers=JSON, parts=[b"\xff"]), "upstream_malformed"),
        (token("one", "soon"), "upstream_malformed"),
        (Reply(status=500, parts=[b"oops"]), "upstream_authentication"),
        (Reply(ending="cut"), "upstream_cut"),
    ],
)
async def test_no_token(provider: Make, entra: FakeUpstream, attempt: Any, reply: Reply, code: str) -> None:
    entra.reply(reply)
    with pytest.raises(ProviderError) as caught:
        await provider(**APPLICATION, authority=entra.url).send(attempt("Hi"))
    assert caught.value.code == code


async def test_check_asks_for_a_token(provider: Make, upstream: FakeUpstream, entra: FakeUpstream) -> None:
    entra.reply(token("one"))
    upstream.reply(Reply(headers=JSON, parts=[b"{}"]))
    await provider(**APPLICATION, authority=entra.url).check()
    assert used(upstream) == ["Bearer one"]
