"""Writes rows of several tables, and has the rest of their columns filled in."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal
from sqlalchemy import Table, insert

from gateway.store import Database
from gateway.store.tables import api_keys, model_calls, tenants, usage_buckets

T = TypeVar("T")
NOON = 1_750_075_200.0
"""2025-06-16 12:00 UTC."""


class Rows:
    def __init__(self, database: Database, portal: BlockingPortal) -> None:
        self.database = database
        self._portal = portal
        self._count = itertools.count(1)

    def run(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run something in the gateway's own loop."""
        return self._portal.call(work, *args)

    def write(self, table: Table, **values: Any) -> None:
        async def write() -> None:
            async with self.database.begin() as connection:
                await connection.execute(insert(table).values(**values))

        self.run(write)

    def tenant(self, id: str) -> str:
        self.write(tenants, id=id, name=id, created_at=NOON)
        return id

    def key(self, tenant: str, owner: str | None = None, name: str = "laptop") -> str:
        number = next(self._count)
        key = f"key_{number}"
        self.write(
            api_keys,
            id=key,
            tenant=tenant,
            name=name,
            owner=owner,
            hint="gw_ab…wxyz",
            digest=number.to_bytes(32, "big"),
            digest_scheme="sha256",
            created_at=NOON,
            revision=number,
        )
        return key

    def call(self, tenant: str, at: float = NOON, **values: Any) -> str:
        call = f"call_{int(at * 1000):012x}{next(self._count):016x}"
        usual = {
            "request_id": f"req_{call}",
            "capability": "chat",
            "dialect": "openai.chat",
            "model": "mock/fast",
            "stream": False,
            "worker": "w",
            "status": "success",
            "provider": "mock",
            "upstream_model": "fast",
            "http_status": 200,
            "ended_at": at + 1.5,
        }
        self.write(model_calls, id=call, tenant=tenant, received_at=at, **{**usual, **values})
        return call

    def bucket(self, tenant: str, start: float = NOON, **values: Any) -> None:
        usual = {
            "key": "",
            "model": "mock/fast",
            "provider": "mock",
            "calls": 1,
            "failed": 0,
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "cached_read_tokens": 0,
            "cached_write_tokens": 0,
            "reasoning_tokens": 0,
            "cost": 1_000,
        }
        self.write(usage_buckets, tenant=tenant, start=int(start), **{**usual, **values})
