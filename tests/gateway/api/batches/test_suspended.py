"""Batches of a tenant that is suspended while they run."""

from __future__ import annotations

import asyncio
from pathlib import Path

from openai import AsyncOpenAI

from gateway import Gateway
from gateway.store.audit import Actor
from gateway.store.batches import get_batch
from gateway.store.tenants import create_tenant, resume_tenant, suspend_tenant

from .conftest import begin, ended, file_of, lines_of, request

ACTOR = Actor(kind="command", id="root")


async def test_a_suspended_tenant_stops_its_batch(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'gateway.db'}"
    core = {"database": database, "identity": {"operator_tenant": "ops"}}
    gateway = Gateway.from_dict({"gateway": core, "provider": {"mock": {}}})
    async with gateway.lifespan(), gateway.client as http:
        sdk = AsyncOpenAI(base_url="http://gateway/v1", api_key="not-a-key", http_client=http, max_retries=0)
        store = gateway._context.database
        await create_tenant(store, "default", actor=ACTOR)
        batch = await begin(sdk, file_of(*(request(f"r{n}", "x @delay=1000") for n in range(200))))
        async with asyncio.timeout(30):
            while not gateway.running:
                await asyncio.sleep(0.01)
        await suspend_tenant(store, "default", operator_tenant="ops", actor=ACTOR)
        async with asyncio.timeout(30):
            while (row := await get_batch(store, "default", batch.id)) is None or row.ended_at is None:
                await asyncio.sleep(0.05)
        await resume_tenant(store, "default", actor=ACTOR)
        await gateway._context.changes.look()
        found = await ended(sdk, batch.id)
        assert found.status == "failed"
        assert found.errors
        assert "suspended" in (found.errors.data or [])[0].message  # pyright: ignore[reportOperatorIssue]
        assert found.request_counts
        assert found.request_counts.completed < 200
        assert len(await lines_of(sdk, found.error_file_id)) > 0
