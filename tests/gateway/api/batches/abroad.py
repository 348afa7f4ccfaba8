"""A provider with files and batches of its own, and gateways that leave theirs to it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from typing import Any

from openai import AsyncOpenAI

from gateway import Plugin, PluginConfig, hookimpl
from gateway.protocols import Incoming
from gateway.store import Database
from gateway.store.calls import as_record
from gateway.store.tables import model_calls
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Principal

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


async def calls_in(database: Database) -> list[dict[str, Any]]:
    async with database.connect() as connection:
        return [as_record(row) for row in await connection.execute(model_calls.select())]


def said(fields: dict[str, Any], status: int = 200) -> Reply:
    return Reply(status=status, headers=JSON, parts=[json.dumps(fields).encode()])


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


def tables(upstream: FakeUpstream, **settings: Any) -> dict[str, Any]:
    provider = {"use": "openai", "base_url": f"{upstream.url}/v1", "api_key": KEY, **settings}
    return {
        "gateway": {"files": {"provider": "up"}},
        "provider": {"up": provider},
        "auth": {"by_tenant": {}},
        "plugins": [ByTenant],
    }


INPUT = b"".join(
    json.dumps(
        {
            "custom_id": f"line-{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-4o", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi."}]},
        }
    ).encode()
    + b"\n"
    for n in range(3)
)


def content(*lines: bytes) -> Reply:
    return Reply(headers={"content-type": "application/octet-stream"}, parts=lines)


def answered(name: str, prompt: int = 1000, completion: int = 100) -> bytes:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    message = {"role": "assistant", "content": "Hi."}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }
    response = {"status_code": 200, "request_id": "req_1", "body": body}
    return json.dumps({"id": "b", "custom_id": name, "response": response, "error": None}).encode() + b"\n"


def refused(name: str) -> bytes:
    body = {"error": {"code": "bad_image", "message": "No such picture."}}
    response = {"status_code": 400, "request_id": "req_1", "body": body}
    return json.dumps({"id": "b", "custom_id": name, "response": response, "error": None}).encode() + b"\n"


async def begun(sdk: AsyncOpenAI) -> None:
    await sdk.files.create(file=("i.jsonl", INPUT), purpose="batch")
    await sdk.batches.create(
        input_file_id="file-abc123", endpoint="/v1/chat/completions", completion_window="24h"
    )


class Provider(FakeUpstream):
    """Has one file and one batch: what it says of each is what stands in `has`, by method and path."""

    def __init__(self) -> None:
        super().__init__()
        self.has: dict[str, Reply] = {
            "POST /v1/files": said(FILE),
            "GET /v1/files/file-abc123/content": content(INPUT[:40], INPUT[40:]),
            "POST /v1/batches": said(batch("validating")),
            "GET /v1/batches/batch_abc123": said(batch("in_progress")),
            "POST /v1/batches/batch_abc123/cancel": said(batch("cancelling")),
        }

    def ends(self, status: str, output: bytes | None = None, errors: bytes | None = None) -> None:
        """Let the batch end, with files."""
        files = {"output_file_id": output, "error_file_id": errors}
        named = {name: f"file-{name[:3]}" for name, told in files.items() if told is not None}
        self.has["GET /v1/batches/batch_abc123"] = said(batch(status, model="gpt-4o-2024-08-06", **named))
        for name, told in files.items():
            if told is not None:
                self.has[f"GET /v1/files/file-{name[:3]}/content"] = content(told)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = self.requests[-1]
        gone = said({"error": {"message": "No such thing.", "code": "not_found"}}, 404)
        self._replies = deque([self.has.get(f"{request.method} {request.path}", gone)])
        await super()._answer(reader, writer)
