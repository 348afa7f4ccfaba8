"""Files and batches that a provider keeps: its ids and words, every tenant's own, settled once."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from gateway import Gateway, Plugin, PluginConfig, hookimpl
from gateway.errors import ConfigError
from gateway.protocols import Incoming
from gateway.store import Database
from gateway.store.calls import as_record
from gateway.store.tables import model_calls
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Principal

from .conftest import Serve

KEY = "sk-not-a-real-key-0000000000"
JSON = {"content-type": "application/json"}
FILE = {
    "id": "file-abc123",
    "object": "file",
    "bytes": 3,
    "created_at": 1_700_000_000,
    "filename": "i.jsonl",
    "purpose": "batch",
    "status": "processed",
    "a_new_field": True,
}
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 10},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 150,
}


def batch(status: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "batch_abc123",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-abc123",
        "completion_window": "24h",
        "status": status,
        "created_at": 1_700_000_000,
        **fields,
    }


ENDED = batch("completed", output_file_id="file-out", model="gpt-4o-2024-08-06", usage=USAGE)


async def calls_in(database: Database) -> list[dict[str, Any]]:
    async with database.connect() as connection:
        return [as_record(row) for row in await connection.execute(model_calls.select())]


def said(fields: dict[str, Any], status: int = 200) -> Reply:
    return Reply(status=status, headers=JSON, parts=[json.dumps(fields).encode()])


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


class ByTenant(Plugin[PluginConfig]):
    """Takes the key for the tenant; `limited` may not use all models, `elsewhere` not this provider."""

    id = "auth.by_tenant"

    @hookimpl
    def register_authenticators(self) -> Sequence[ByTenant]:
        return (self,)

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        """Read the key."""
        tenant = incoming.headers[b"authorization"].decode().removeprefix("Bearer ")
        models = ("up/small",) if tenant == "limited" else None
        providers = ("other",) if tenant == "elsewhere" else None
        return Principal(tenant=tenant, authenticator="by_tenant", models=models, providers=providers)


def tables(upstream: FakeUpstream) -> dict[str, Any]:
    provider = {"use": "openai", "base_url": f"{upstream.url}/v1", "api_key": KEY}
    return {
        "gateway": {"files": {"provider": "up"}},
        "provider": {"up": provider},
        "auth": {"by_tenant": {}},
        "plugins": [ByTenant],
    }


async def begun(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.reply(said(FILE), said(batch("validating")), said(batch("in_progress")))
    await sdk.files.create(file=("i.jsonl", b"{}\n"), purpose="batch")
    await sdk.batches.create(
        input_file_id="file-abc123", endpoint="/v1/chat/completions", completion_window="24h"
    )


async def test_requests_go_on_as_they_came(serve: Serve, upstream: FakeUpstream) -> None:
    async with serve(**tables(upstream)) as sdk:
        upstream.reply(said(FILE))
        made = await sdk.files.create(file=("i.jsonl", b"{}\n"), purpose="batch")
        assert made.to_dict()["a_new_field"] is True
        (sent,) = upstream.requests
        assert (sent.method, sent.path) == ("POST", "/v1/files")
        assert sent.headers["authorization"] == f"Bearer {KEY}"
        assert sent.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert b'name="purpose"\r\n\r\nbatch\r\n' in sent.body
        assert [file.id for file in (await sdk.files.list()).data] == [made.id]
        assert (await sdk.files.list(purpose="vision")).data == []
        upstream.reply(Reply(headers={"content-type": "application/octet-stream"}, parts=[b"a" * 9, b"b"]))
        upstream.reply(said(FILE))
        await sdk.files.retrieve(made.id)  # the reply that still stood
        assert (await sdk.files.content(made.id)).content == b"a" * 9 + b"b"
        assert upstream.requests[-1].path == "/v1/files/file-abc123/content"
        upstream.reply(said({"id": made.id, "object": "file", "deleted": True}))
        await sdk.files.retrieve(made.id)
        assert (await sdk.files.delete(made.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await sdk.files.retrieve(made.id)


async def test_an_error_is_told_in_the_providers_words(serve: Serve, upstream: FakeUpstream) -> None:
    async with serve(**tables(upstream)) as sdk:
        error = {
            "message": f"No such thing for {KEY}.",
            "type": "invalid_request_error",
            "code": "no",
            "param": "p",
        }
        upstream.reply(said({"error": error}, 400))
        with pytest.raises(openai.BadRequestError) as refused:
            await sdk.files.create(file=("i.jsonl", b"{}\n"), purpose="batch")
        assert (refused.value.code, refused.value.param) == ("no", "p")
        assert KEY not in refused.value.message
        upstream.reply(Reply(parts=[b"no json"]))
        with pytest.raises(openai.BadRequestError):
            await sdk.files.create(file=("i.jsonl", b"{}\n"), purpose="batch")
        with pytest.raises(openai.InternalServerError, match="JSON"):
            await sdk.files.create(file=("i.jsonl", b"{}\n"), purpose="batch")
        assert (await sdk.files.list()).data == []


async def test_what_a_batch_used_is_settled_once_when_it_has_ended(
    serve: Serve, upstream: FakeUpstream, database: Database
) -> None:
    async with serve(**tables(upstream)) as sdk:
        await begun(sdk, upstream)
        assert (await sdk.batches.retrieve("batch_abc123")).status == "in_progress"
        assert await calls_in(database) == []
        upstream.reply(said(ENDED))
        await sdk.batches.retrieve("batch_abc123")
        for _ in range(3):
            found = await sdk.batches.retrieve("batch_abc123")
            assert found.status == "completed"
        assert [file.id for file in (await sdk.files.list()).data] == ["file-out", "file-abc123"]
        (call,) = await calls_in(database)
        assert call["status"] == "success"
        assert call["client_request_id"] == "batch_abc123"
        assert call["tenant"] == "not-a-key"
        assert (call["provider"], call["upstream_model"]) == ("up", "gpt-4o-2024-08-06")
        assert call["prompt_tokens"] == 100
        assert call["reasoning_tokens"] == 5


async def test_it_is_settled_also_when_nobody_asks(
    build: Callable[..., Gateway], upstream: FakeUpstream, database: Database
) -> None:
    gateway = build(**tables(upstream))
    async with gateway.lifespan(), gateway.client as http:
        sdk = AsyncOpenAI(base_url="http://gateway/v1", api_key="t", http_client=http)
        await begun(sdk, upstream)
        upstream.reply(said({"error": {"message": "Gone."}}, 404))
        watcher = gateway._batches._watcher
        assert watcher
        await watcher.look()
        assert await calls_in(database) == []
        await watcher.look()
        await watcher.look()
        (call,) = await calls_in(database)
        assert call["status"] == "failed"
        assert call["error"]["code"] == "usage_unknown"


async def test_nobody_reaches_what_is_anothers(serve: Serve, upstream: FakeUpstream) -> None:
    async with serve(**tables(upstream)) as sdk:
        await begun(sdk, upstream)
        count = len(upstream.requests)
        for stranger in (sdk.with_options(api_key="other"), sdk.with_options(api_key="limited")):
            for attempt in (
                lambda sdk=stranger: sdk.files.retrieve("file-abc123"),
                lambda sdk=stranger: sdk.files.content("file-abc123"),
                lambda sdk=stranger: sdk.files.delete("file-abc123"),
                lambda sdk=stranger: sdk.batches.retrieve("batch_abc123"),
                lambda sdk=stranger: sdk.batches.cancel("batch_abc123"),
                lambda sdk=stranger: sdk.files.retrieve("batch_abc123"),
            ):
                with pytest.raises(openai.NotFoundError):
                    await attempt()
            with pytest.raises((openai.NotFoundError, openai.PermissionDeniedError)):
                await stranger.batches.create(
                    input_file_id="file-abc123", endpoint="/v1/chat/completions", completion_window="24h"
                )
            assert (await stranger.batches.list()).data == []
            assert (await stranger.files.list()).data == []
        assert len(upstream.requests) == count


async def test_a_key_with_a_list_of_models_begins_no_batch(serve: Serve, upstream: FakeUpstream) -> None:
    async with serve(**tables(upstream)) as sdk:
        limited = sdk.with_options(api_key="limited")
        upstream.reply(said({**FILE, "created_at": int(time.time())}))
        file = await limited.files.create(file=("i.jsonl", b"{}\n"), purpose="batch")
        with pytest.raises(openai.PermissionDeniedError, match="models"):
            await limited.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
        assert len(upstream.requests) == 1


async def test_nothing_goes_to_a_provider_that_the_caller_may_not_use(
    serve: Serve, upstream: FakeUpstream
) -> None:
    async with serve(**tables(upstream)) as sdk:
        with pytest.raises(openai.PermissionDeniedError, match="may not use the provider"):
            await sdk.with_options(api_key="elsewhere").files.create(
                file=("i.jsonl", b"{}\n"), purpose="batch"
            )
        assert upstream.requests == []


async def test_content_that_breaks_off_is_no_content(serve: Serve, upstream: FakeUpstream) -> None:
    async with serve(**tables(upstream)) as sdk:
        upstream.reply(said(FILE))
        file = await sdk.files.create(file=("i.jsonl", b"{}\n"), purpose="batch")
        upstream.reply(Reply(headers={"content-length": "9"}, parts=[b"half"], ending="cut"))
        await sdk.files.retrieve(file.id)
        with pytest.raises((openai.APIError, httpx2.HTTPError)):
            await sdk.files.content(file.id)


@pytest.mark.parametrize("name", ["nobody", "mock"])
async def test_a_provider_without_files_is_refused_at_the_start(
    build: Callable[..., Gateway], name: str
) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.files\.provider"):
        build(gateway={"files": {"provider": name}})
