"""Keys of an issuer: fetched once for all, after a rotation, never in a flood, and kept while it is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.errors import AuthenticationFailed, Unavailable

from .conftest import Door, Serve
from .oidc import Provider, private_key, public

JWKS, DISCOVERY = "/jwks", "/.well-known/openid-configuration"


async def until_refused(door: Door, token: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await door.send(token)
            except AuthenticationFailed:
                return
            await asyncio.sleep(0.01)


async def test_many_first_tokens_need_one_fetch(issuer: Provider, serve: Serve):
    door = await serve()
    tokens = [issuer.token(sub=f"user {number}") for number in range(50)]
    assert all(await asyncio.gather(*map(door.send, tokens)))
    assert issuer.hits == {DISCOVERY: 1, JWKS: 1}


async def test_a_new_key_works_at_once_and_the_old_one_while_it_is_published(issuer: Provider, serve: Serve):
    door = await serve(refetch_seconds=0.001)
    old = issuer.token()
    assert await door.send(old)
    issuer.rotate(private_key("second", "EdDSA"), keep=True)
    assert await door.send(issuer.token())
    assert await door.send(old)
    issuer.rotate(private_key("third", "RS256"))
    assert await door.send(issuer.token())
    assert "no such key" in await door.refusal(old), "a withdrawn key ends tokens that were let in before"


async def test_a_withdrawn_key_ends_without_anybody_asking(issuer: Provider, serve: Serve):
    door = await serve(refresh_seconds=0.02, refetch_seconds=0.01)
    token = issuer.token()
    assert await door.send(token)
    issuer.rotate(private_key("second", "EdDSA"))
    await until_refused(door, token)


async def test_another_key_under_the_same_id_replaces_the_old_one(issuer: Provider, serve: Serve):
    door = await serve(refresh_seconds=0.02, refetch_seconds=0.01)
    token = issuer.token()
    assert await door.send(token)
    issuer.published[:] = [public(private_key("second", "ES256"), kid=issuer.key.kid)]
    await until_refused(door, token)


async def test_a_flood_of_unknown_key_ids_makes_one_fetch(issuer: Provider, serve: Serve):
    door = await serve(refetch_seconds=3600)
    assert await door.send(issuer.token())
    fetched = issuer.hits[JWKS]
    forged = [issuer.token(header={"kid": f"unknown {number}"}) for number in range(200)]
    results = await asyncio.gather(*map(door.send, forged), return_exceptions=True)
    assert all(isinstance(result, AuthenticationFailed) for result in results)
    assert issuer.hits[JWKS] - fetched <= 1
    assert await door.send(issuer.token()), "and nobody else suffers"


async def test_known_keys_stay_good_while_the_issuer_is_away(issuer: Provider, serve: Serve):
    door = await serve(refresh_seconds=0.01, refetch_seconds=0.01)
    assert await door.send(issuer.token())
    issuer.down = True
    asked = issuer.hits[DISCOVERY]
    async with asyncio.timeout(30):
        while issuer.hits[DISCOVERY] < asked + 2:
            await asyncio.sleep(0.01)
    assert await door.send(issuer.token(sub="somebody new"))
    assert (await door.refusal(issuer.token(header={"kid": "new"}))).startswith("503 ")


async def test_a_gateway_starts_without_its_issuer(issuer: Provider, serve: Serve):
    issuer.down = True
    door = await serve(refetch_seconds=0.01)
    with pytest.raises(Unavailable):
        await door.send(issuer.token())
    issuer.down = False
    await asyncio.sleep(0.02)
    assert await door.send(issuer.token())


async def test_a_token_without_a_key_id_needs_an_issuer_with_one_key(issuer: Provider, serve: Serve):
    door = await serve(refetch_seconds=0.001)
    nameless = issuer.token(header={"kid": None})
    assert await door.send(nameless)
    issuer.rotate(private_key("second", "ES256"), keep=True)
    assert await door.send(issuer.token()), "by which the second key is known"
    assert "no such key" in await door.refusal(issuer.token(header={"kid": None}))


DOCUMENTS: list[dict[str, Any]] = [
    {"issuer": "https://evil.example.com"},
    {"issuer": None},
    {"jwks_uri": None},
    {"jwks_uri": "http://192.0.2.1/jwks"},
    {"jwks_uri": "http://169.254.169.254/latest/meta-data/"},
    {"jwks_uri": "file:///etc/passwd"},
    {"jwks_uri": "https://[::1"},
]


async def test_a_discovery_document_that_does_not_hold_is_not_used(
    issuer: Provider, serve: Serve, caplog: pytest.LogCaptureFixture
):
    for document in DOCUMENTS:
        issuer.document = document
        door = await serve()
        assert (await door.refusal(issuer.token())).startswith("503 ")
        assert "cannot be fetched" in caplog.text
        with pytest.raises(Exception, match="corp: "):
            await door.plugin.check()
        caplog.clear()


async def test_a_document_does_not_lead_into_the_network_behind_the_gateway(issuer: Provider, serve: Serve):
    issuer.document = {"jwks_uri": f"http://localhost:{issuer.url.rpartition(':')[2]}/jwks"}
    door = await serve()
    with pytest.raises(Unavailable):
        await door.send(issuer.token())
    assert not issuer.hits[JWKS]
