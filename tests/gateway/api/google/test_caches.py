"""Caches of Google's clients, through the official SDK: nobody can tell what they cost, so the operator declares them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import errors

from .conftest import Serve
from .service import Google

DECLARED = ("/cachedContents", "/cachedContents/*")
WORDS = {"contents": [{"role": "user", "parts": [{"text": "A long book."}]}], "ttl": "300s"}


async def test_a_cache_is_made_kept_longer_and_deleted(serve: Serve, google: Google, calls: Any) -> None:
    async with serve(passthrough=DECLARED) as sdks:
        sdk = sdks("acme")
        cache = await sdk.caches.create(model="fast", config=WORDS)
        assert cache.name == "cachedContents/c1"
        assert cache.usage_metadata.total_token_count == 9
        sent = google.requests[-1]
        assert sent.path == "/v1/cachedContents"
        assert json.loads(sent.body)["model"] == "models/gemini-2.5-flash", "the provider knows no alias"
        assert json.loads(sent.body)["contents"] == WORDS["contents"]
        await sdk.caches.update(name=cache.name, config={"ttl": "600s"})
        assert (google.requests[-1].method, google.requests[-1].path) == (
            "PATCH",
            "/v1/cachedContents/c1",
        )
        assert [one.name async for one in await sdk.caches.list()] == [cache.name]
        assert (await sdk.caches.get(name=cache.name)).name == cache.name
        rows = [(row["capability"], row["model"], row["status"], row["tenant"]) for row in await calls()]
        assert sorted(rows) == [
            ("passthrough", "/cachedContents", "success", "acme"),
            ("passthrough", "/cachedContents/*", "success", "acme"),
        ]
        await sdk.caches.delete(name=cache.name)
        with pytest.raises(errors.ClientError, match="not yours"):
            await sdk.caches.get(name=cache.name)


async def test_an_unmetered_cache_is_refused_unless_it_is_declared(serve: Serve, google: Google) -> None:
    async with serve() as sdks:
        with pytest.raises(errors.ClientError, match=r'passthrough = \["/cachedContents"') as refused:
            await sdks("acme").caches.create(model="gemini-2.5-flash", config=WORDS)
        assert (refused.value.code, refused.value.status) == (403, "PERMISSION_DENIED")
        assert google.requests == []


async def test_a_cache_is_its_tenants_alone(serve: Serve, google: Google) -> None:
    async with serve(passthrough=DECLARED) as sdks:
        cache = await sdks("acme").caches.create(model="up/gemini-2.5-flash", config=WORDS)
        count = len(google.requests)
        for name in ("other", "limited"):
            sdk = sdks(name)
            assert [one async for one in await sdk.caches.list()] == []
            for attempt in (
                lambda sdk=sdk: sdk.caches.get(name=cache.name),
                lambda sdk=sdk: sdk.caches.update(name=cache.name, config={"ttl": "600s"}),
                lambda sdk=sdk: sdk.caches.delete(name=cache.name),
            ):
                with pytest.raises(errors.ClientError, match="not yours"):
                    await attempt()
        with pytest.raises(errors.ClientError) as refused:
            await sdks("limited").caches.create(model="gemini-2.5-flash", config=WORDS)
        assert refused.value.code == 403
        assert len(google.requests) == count


async def test_an_error_of_the_provider_is_told_in_its_words(
    serve: Serve, google: Google, calls: Any
) -> None:
    google.broken.add("/v1/cachedContents")
    async with serve(passthrough=DECLARED) as sdks:
        with pytest.raises(errors.ServerError) as busy:
            await sdks("acme").caches.create(model="gemini-2.5-flash", config=WORDS)
        assert (busy.value.code, busy.value.status, busy.value.message) == (503, "UNAVAILABLE", "Busy.")
        assert [one async for one in await sdks("acme").caches.list()] == []
        assert [row["http_status"] for row in await calls()] == [503]
