"""API keys: who is let in, who is refused and with which words."""

from __future__ import annotations

import time

import pytest

from gateway.errors import AuthenticationFailed
from gateway.plugin import Context
from gateway.store.key_rows import KeySettings
from gateway.types import Principal
from gateway_apikey import ApiKey

from .support import Request, bearer, make, revoke, rotate, running, until_refused


async def test_a_key_is_known_from_start(context: Context):
    row, key = await make(
        context, "laptop", tenant="acme", settings=KeySettings(models=("gpt-5", "openai/*"))
    )
    async with running(context) as plugin:
        assert await plugin.authenticate(bearer(key)) == Principal(
            tenant="acme",
            authenticator="apikey",
            key=row.id,
            key_name="laptop",
            models=("gpt-5", "openai/*"),
        )


async def test_a_new_key_works_at_once(context: Context, plugin: ApiKey):
    for number in range(3):
        _, key = await make(context, f"key {number}")
        assert await plugin.authenticate(bearer(key))


@pytest.mark.parametrize("header", ["x_api_key", "api_key", "x_goog_api_key"])
async def test_the_headers_of_other_dialects_hold_keys_too(context: Context, plugin: ApiKey, header: str):
    _, key = await make(context, "sdk")
    assert await plugin.authenticate(Request(**{header: key}))
    assert await plugin.authenticate(Request(**{header: key, "authorization": "Basic dXNlcjpwYXNz"}))
    with pytest.raises(AuthenticationFailed):
        await plugin.authenticate(Request(**{header: "gw_wrong"}))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_case_insensitive(context: Context, plugin: ApiKey, scheme: str):
    _, key = await make(context, "a")
    assert await plugin.authenticate(Request(authorization=f"{scheme}  {key} "))


@pytest.mark.parametrize(
    "request_",
    [
        Request(),
        Request(authorization="Basic dXNlcjpwYXNz"),
        Request(authorization="Bearer "),
        Request(authorization="Bearer"),
        Request(authorization="Bearer header.payload.signature"),
        Request(x_api_key=""),
    ],
)
async def test_what_is_no_key_is_left_to_others(plugin: ApiKey, request_: Request):
    assert await plugin.authenticate(request_) is None


async def test_an_unknown_key_is_refused(plugin: ApiKey):
    key = "gw_notArealKeyButAsLongAsOneXXXXXXXXXXXXXXwxyz"
    for _ in range(2):
        with pytest.raises(AuthenticationFailed) as refused:
            await plugin.authenticate(bearer(key))
        assert refused.value.message == "Incorrect API key provided: gw_no…wxyz."


@pytest.mark.parametrize(
    "secret", ["correct horse battery staple", "gw_short", "sk-of-another-service-0123456789"]
)
async def test_what_is_no_key_of_ours_is_not_repeated(plugin: ApiKey, secret: str):
    with pytest.raises(AuthenticationFailed) as refused:
        await plugin.authenticate(bearer(secret))
    assert refused.value.message == "Incorrect API key provided."


async def test_an_expired_key_is_refused(context: Context, plugin: ApiKey):
    row, key = await make(context, "old", settings=KeySettings(expires_at=time.time() - 1))
    with pytest.raises(AuthenticationFailed) as refused:
        await plugin.authenticate(bearer(key))
    assert refused.value.message == f"The API key {row.hint} has expired."


async def test_a_key_expires_without_anybody_saying_so(
    context: Context, plugin: ApiKey, monkeypatch: pytest.MonkeyPatch
):
    end = time.time() + 3600
    _, key = await make(context, "short", settings=KeySettings(expires_at=end))
    assert await plugin.authenticate(bearer(key))
    monkeypatch.setattr("gateway_apikey.plugin.time.time", lambda: end)
    with pytest.raises(AuthenticationFailed, match="has expired"):
        await plugin.authenticate(bearer(key))


async def test_a_revoked_key_stops_working(context: Context, plugin: ApiKey):
    row, key = await make(context, "lost")
    assert await plugin.authenticate(bearer(key))
    await revoke(context, row)
    refused = await until_refused(plugin, key)
    assert refused.message == f"The API key {row.hint} was revoked."


async def test_a_key_revoked_before_the_start_is_refused_in_the_same_words(context: Context):
    row, key = await make(context, "lost")
    await revoke(context, row)
    async with running(context) as plugin:
        with pytest.raises(AuthenticationFailed, match="was revoked"):
            await plugin.authenticate(bearer(key))


async def test_a_rotated_key_works_through_the_overlap(context: Context, plugin: ApiKey):
    row, old = await make(context, "ci")
    second, new = await rotate(context, row, overlap_seconds=600)
    assert await plugin.authenticate(bearer(new))
    assert await plugin.authenticate(bearer(old))
    _, newest = await rotate(context, second)
    assert await plugin.authenticate(bearer(newest))
    await until_refused(plugin, new)
