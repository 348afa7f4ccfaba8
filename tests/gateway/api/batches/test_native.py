"""Files and batches that a provider keeps: its ids and words, every tenant's own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import httpx2
import openai
import pytest

from gateway import Gateway
from gateway.errors import ConfigError
from gateway.testing.upstream import FakeUpstream, Reply

from .abroad import (
    FILE,
    KEY,
    Provider,
    begun,
    said,
    tables,
)
from .conftest import Serve


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


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


async def test_nobody_reaches_what_is_anothers(serve: Serve, provider: Provider) -> None:
    async with serve(**tables(provider)) as sdk:
        await begun(sdk)
        count = len(provider.requests)
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
        assert len(provider.requests) == count


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
    with pytest.raises(ConfigError, match=rf"gateway\.files\W+provider: .*'{name}'"):
        build(gateway={"files": {"provider": name}})
