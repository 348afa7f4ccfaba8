"""Gateways with both databases, the official SDK in front of them, and files of requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types import Batch

from gateway import Gateway

from .abroad import Provider

Serve = Callable[..., AbstractAsyncContextManager[AsyncOpenAI]]


@pytest.fixture
def build(database_url: str) -> Callable[..., Gateway]:
    """Make gateways on one database; without providers named it has the mock."""

    def make(*, plugins: Sequence[Any] = (), **tables: Any) -> Gateway:
        core = {"database": database_url, **tables.pop("gateway", {})}
        return Gateway.from_dict(
            {"gateway": core, "provider": {"mock": {}}, **tables}, plugins=tuple(plugins)
        )

    return make


@pytest.fixture
def serve(build: Callable[..., Gateway]) -> Serve:
    """Start a gateway and give the SDK for it, which needs no key as there is no authenticator."""

    @asynccontextmanager
    async def start(**tables: Any) -> AsyncGenerator[AsyncOpenAI]:
        gateway = build(**tables)
        async with gateway.lifespan(), gateway.client as http:
            yield AsyncOpenAI(
                base_url="http://gateway/v1", api_key="not-a-key", http_client=http, max_retries=0
            )

    return start


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    async with Provider() as server:
        yield server


def request(custom_id: str, text: str, **body: Any) -> dict[str, Any]:
    """Make a line that asks for a chat."""
    said = {"model": "mock/echo", "messages": [{"role": "user", "content": text}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": said}


def file_of(*lines: dict[str, Any]) -> bytes:
    """Write lines as a file."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def begin(
    sdk: AsyncOpenAI, content: bytes, endpoint: str = "/v1/chat/completions", **more: Any
) -> Batch:
    """Upload a file and make a batch of it."""
    file = await sdk.files.create(file=("input.jsonl", content), purpose="batch")
    kind: Any = endpoint
    return await sdk.batches.create(input_file_id=file.id, endpoint=kind, completion_window="24h", **more)


async def ended(sdk: AsyncOpenAI, id: str, seconds: float = 90) -> Batch:
    """Wait until a batch has ended."""
    async with asyncio.timeout(seconds):
        while (batch := await sdk.batches.retrieve(id)).status in {
            "validating",
            "in_progress",
            "finalizing",
            "cancelling",
        }:
            await asyncio.sleep(0.02)
    return batch


async def lines_of(sdk: AsyncOpenAI, id: str | None) -> list[dict[str, Any]]:
    """Read a file of results."""
    assert id is not None
    content = (await sdk.files.content(id)).text
    assert content.endswith("\n")
    return [json.loads(line) for line in content.splitlines()]
