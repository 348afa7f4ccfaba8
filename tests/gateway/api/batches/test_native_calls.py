"""The lines of a provider's batch are calls: opened before it begins, settled once when it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import openai
import pytest
from openai import AsyncOpenAI

from gateway import Gateway
from gateway.store import Database
from gateway.testing.upstream import Reply

from .abroad import (
    INPUT,
    Provider,
    answered,
    begun,
    calls_in,
    content,
    refused,
    said,
    tables,
)
from .conftest import Serve


async def test_each_line_is_a_call_that_is_settled_once(
    serve: Serve, provider: Provider, database: Database
) -> None:
    async with serve(**tables(provider)) as sdk:
        await begun(sdk)
        opened = await calls_in(database)
        assert [call["status"] for call in opened] == ["processing"] * 3
        assert {call["client_request_id"] for call in opened} == {f"batch_abc123/line-{n}" for n in range(3)}
        assert (await sdk.batches.retrieve("batch_abc123")).status == "in_progress"
        provider.ends("completed", answered("line-1") + answered("line-0"), refused("line-2"))
        for _ in range(3):
            found = await asyncio.gather(*(sdk.batches.retrieve("batch_abc123") for _ in range(3)))
            assert {one.status for one in found} == {"completed"}
        listed = [file.id for file in (await sdk.files.list()).data]
        assert listed[-1] == "file-abc123"
        assert set(listed) == {"file-abc123", "file-out", "file-err"}
        calls = {call["client_request_id"]: call for call in await calls_in(database)}
        assert len(calls) == 3
        paid, bad = calls["batch_abc123/line-0"], calls["batch_abc123/line-2"]
        assert (paid["status"], paid["provider"], paid["upstream_model"]) == ("success", "up", "gpt-4o")
        assert (paid["prompt_tokens"], paid["completion_tokens"]) == (1000, 100)
        assert (paid["tenant"], paid["model"]) == ("not-a-key", "up/gpt-4o")
        assert (bad["status"], bad["error"]["code"]) == ("failed", "bad_image")
        assert bad["prompt_tokens"] is None


async def test_a_batch_costs_what_the_provider_asks_for_batches(
    serve: Serve, provider: Provider, database: Database
) -> None:
    async with serve(**tables(provider, preset="openai")) as sdk:
        await begun(sdk)
        provider.ends("completed", answered("line-0"))
        await sdk.batches.retrieve("batch_abc123")
    calls = await calls_in(database)
    (paid,) = [call for call in calls if call["status"] == "success"]
    assert paid["units"] == {"batch_percent": 50}
    assert paid["cost_nano"] == (1000 * 2_500 + 100 * 10_000) // 2
    assert {call["error"]["code"] for call in calls if call is not paid} == {"usage_unknown"}


@pytest.mark.parametrize(
    ("status", "code", "ends_as"),
    [
        ("cancelled", "batch_cancelled", "cancelled"),
        ("expired", "batch_expired", "failed"),
        ("failed", "batch_failed", "failed"),
    ],
)
async def test_what_was_not_made_costs_nothing(
    serve: Serve, provider: Provider, database: Database, status: str, code: str, ends_as: str
) -> None:
    async with serve(**tables(provider)) as sdk:
        await begun(sdk)
        assert (await sdk.batches.cancel("batch_abc123")).status == "cancelling"
        provider.ends(status, answered("line-1"))
        assert (await sdk.batches.retrieve("batch_abc123")).status == status
    calls = {call["client_request_id"][-1]: call for call in await calls_in(database)}
    assert calls.pop("1")["status"] == "success"
    assert {(call["status"], call["error"]["code"]) for call in calls.values()} == {(ends_as, code)}


async def test_it_is_settled_also_when_nobody_asks(
    build: Callable[..., Gateway], provider: Provider, database: Database
) -> None:
    gateway = build(**tables(provider))
    async with gateway.lifespan(), gateway.client as http:
        await begun(AsyncOpenAI(base_url="http://gateway/v1", api_key="t", http_client=http))
        (watcher,) = gateway._files._watchers
        await watcher.go_round()
        assert {call["status"] for call in await calls_in(database)} == {"processing"}
        del provider.has["GET /v1/batches/batch_abc123"]
        await watcher.go_round()
        await watcher.go_round()
        calls = await calls_in(database)
        assert [(call["status"], call["error"]["code"]) for call in calls] == [
            ("failed", "batch_expired")
        ] * 3


async def test_a_batch_is_not_over_before_it_is_settled(
    serve: Serve, provider: Provider, database: Database
) -> None:
    async with serve(**tables(provider)) as sdk:
        await begun(sdk)
        provider.ends("completed", answered("line-0") + answered("line-1"))
        path = "GET /v1/files/file-out/content"
        whole = provider.has[path]
        provider.has[path] = Reply(headers={}, parts=[answered("line-0"), b'{"custom'], ending="cut")
        assert (await sdk.batches.retrieve("batch_abc123")).status == "finalizing"
        assert [file.id for file in (await sdk.files.list()).data] == ["file-abc123"]
        provider.has[path] = whole
        assert (await sdk.batches.retrieve("batch_abc123")).status == "completed"
    calls = await calls_in(database)
    assert sorted(call["status"] for call in calls) == ["failed", "success", "success"]


async def test_another_process_settles_what_one_has_begun(
    build: Callable[..., Gateway], provider: Provider, database: Database
) -> None:
    first, second = build(**tables(provider)), build(**tables(provider))
    async with first.lifespan(), first.client as http:
        await begun(AsyncOpenAI(base_url="http://gateway/v1", api_key="t", http_client=http))
    async with second.lifespan(), second.client as http:
        assert {call["status"] for call in await calls_in(database)} == {"processing"}
        provider.ends("completed", b"".join(answered(f"line-{n}") for n in range(3)))
        (watcher,) = second._files._watchers
        await watcher.go_round()
        assert [call["status"] for call in await calls_in(database)] == ["success"] * 3


async def test_a_batch_that_the_provider_refuses_leaves_nothing_open(
    serve: Serve, provider: Provider, database: Database
) -> None:
    provider.has["POST /v1/batches"] = said({"error": {"message": "Too many batches."}}, 429)
    async with serve(**tables(provider)) as sdk:
        with pytest.raises(openai.RateLimitError, match="Too many batches"):
            await begun(sdk)
        assert (await sdk.batches.list()).data == []
    assert {call["status"] for call in await calls_in(database)} == {"failed"}
    assert {call["error"]["code"] for call in await calls_in(database)} == {"batch_refused"}


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (b"no json\n", "Line 1"),
        (INPUT.replace(b"line-1", b"line-0"), "line-0"),
        (INPUT.replace(b"gpt-4o", b""), "Line 1 .*line-0.*model"),
        (INPUT.replace(b"/v1/chat/completions", b"/v1/embeddings"), "url"),
        (b"", "no request"),
    ],
)
async def test_a_file_that_cannot_be_used_begins_no_batch(
    serve: Serve, provider: Provider, database: Database, file: bytes, told: str
) -> None:
    provider.has["GET /v1/files/file-abc123/content"] = content(file) if file else content(b"\n")
    async with serve(**tables(provider)) as sdk:
        with pytest.raises(openai.BadRequestError, match=told):
            await begun(sdk)
    assert await calls_in(database) == []
    assert [request.path for request in provider.requests].count("/v1/batches") == 0


async def test_a_key_with_a_list_of_models_begins_batches_of_these(serve: Serve, provider: Provider) -> None:
    async with serve(**tables(provider)) as sdk:
        limited = sdk.with_options(api_key="limited")
        with pytest.raises(openai.PermissionDeniedError, match=r"line-0.*up/gpt-4o"):
            await begun(limited)
        provider.has["GET /v1/files/file-abc123/content"] = content(INPUT.replace(b"gpt-4o", b"small"))
        made = await limited.batches.create(
            input_file_id="file-abc123", endpoint="/v1/chat/completions", completion_window="24h"
        )
        assert made.id == "batch_abc123"
