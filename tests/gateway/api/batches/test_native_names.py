"""Lines of a provider's batch may name models as the gateway does: the provider is told its own names."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from gateway.store import Database

from .abroad import Provider, answered, calls_in, content, tables
from .conftest import Serve, file_of, request

ALIASES: dict[str, Any] = {
    "fast": {"targets": ["mock:echo", "up:gpt-4o"]},
    "elsewhere": {"targets": ["mock:echo"]},
}


def named(provider: Provider) -> dict[str, Any]:
    settings = tables(provider)
    return {**settings, "provider": {**settings["provider"], "mock": {}}, "models": ALIASES}


def models_in(body: bytes) -> list[str]:
    lines = [line for line in body.splitlines() if line.startswith(b'{"custom_id"')]
    return [json.loads(line)["body"]["model"] for line in lines]


async def test_names_of_the_gateways_become_the_providers(
    serve: Serve, provider: Provider, database: Database
) -> None:
    given = file_of(
        request("a", "Hi.", model="fast", seed=7),
        request("b", "Hi.", model="up/gpt-4o"),
        request("c", "Hi.", model="gpt-4o"),
    )
    async with serve(**named(provider)) as sdk:
        await sdk.files.create(file=("i.jsonl", given), purpose="batch")
        sent = provider.requests[-1].body
        assert models_in(sent) == ["gpt-4o"] * 3
        assert b'"seed":7' in sent.replace(b" ", b"")
        assert given.splitlines()[2] in sent, "a line that needs no change has none"
        provider.has["GET /v1/files/file-abc123/content"] = content(
            b"".join(line + b"\n" for line in sent.splitlines() if line.startswith(b'{"custom_id"'))
        )
        await sdk.batches.create(
            input_file_id="file-abc123", endpoint="/v1/chat/completions", completion_window="24h"
        )
        assert {call["model"] for call in await calls_in(database)} == {"up/gpt-4o"}
        provider.ends("completed", answered("a") + answered("b") + answered("c"))
        assert (await sdk.batches.retrieve("batch_abc123")).status == "completed"
        assert {call["status"] for call in await calls_in(database)} == {"success"}


async def test_a_name_that_leads_elsewhere_is_refused_with_its_line(serve: Serve, provider: Provider) -> None:
    async with serve(**named(provider)) as sdk:
        for name in ("elsewhere", "mock/echo"):
            given = file_of(request("a", "Hi.", model="gpt-4o"), request("b", "Hi.", model=name))
            with pytest.raises(
                openai.NotFoundError, match=rf"Line 2 .*'{name}' is none of the provider 'up'"
            ):
                await sdk.files.create(file=("i.jsonl", given), purpose="batch")
        assert provider.requests == []


async def test_a_name_made_after_the_upload_is_refused_with_its_line(
    serve: Serve, provider: Provider, database: Database
) -> None:
    provider.has["GET /v1/files/file-abc123/content"] = content(
        file_of(request("a", "Hi.", model="gpt-4o"), request("b", "Hi.", model="fast"))
    )
    async with serve(**named(provider)) as sdk:
        await sdk.files.create(file=("i.jsonl", b""), purpose="batch")
        with pytest.raises(openai.BadRequestError, match=r"Line 2 .*'fast', which it calls 'gpt-4o'"):
            await sdk.batches.create(
                input_file_id="file-abc123", endpoint="/v1/chat/completions", completion_window="24h"
            )
        assert await calls_in(database) == []
