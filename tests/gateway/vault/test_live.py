"""A gateway that serves while credentials come, change and go."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from httpx2 import AsyncClient

from gateway import Gateway
from gateway.store.credentials import OPERATOR, StoredCredential, change_credential, get_credential
from gateway.store.tenants import create_tenant
from gateway.testing import replies
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.vault import Vault
from gateway.vault.credentials import NewCredential, add
from gateway.vault.master import new_master_key
from gateway.vault.rotation import rotate

from ..admin.people import CONFIG, People, signed_in
from .conftest import ANN, of_key

JSON = {"content-type": "application/json"}
GOOD = Reply(headers=JSON, parts=[replies.completion("hi", "m")])
BODY: dict[str, Any] = {"model": "openai/m", "messages": [{"role": "user", "content": "x"}]}


class Running:
    """A gateway with one provider, which takes credentials from the vault."""

    def __init__(self, gateway: Gateway, client: AsyncClient, upstream: FakeUpstream, key: str) -> None:
        self.gateway = gateway
        self.database = gateway._context.database
        self.vault = gateway._credentials.vault
        self.key = key
        self._client = client
        self._upstream = upstream

    async def add(self, secret: str, *, tenant: str = OPERATOR, weight: int = 1) -> StoredCredential:
        new = NewCredential(
            tenant=tenant, provider="openai", name=secret, given=of_key(secret), weight=weight
        )
        row = await add(self.database, self.vault, new, actor=ANN)
        await self.seen()
        return row

    async def change(self, row: StoredCredential, **values: Any) -> None:
        await change_credential(self.database, row.id, tenant=row.tenant, actor=ANN, **values)
        await self.seen()

    async def seen(self) -> None:
        """Do now what happens by itself every 0.4 s."""
        await self.gateway._context.changes.look()

    async def call(self, tenant: str = "default") -> tuple[int, str]:
        """Return the status, and the secret that was used or what was said."""
        before = len(self._upstream.requests)
        headers = signed_in(tenant, "usr_ann", "member")
        answer = await self._client.post("/v1/chat/completions", json=BODY, headers=headers)
        if len(self._upstream.requests) == before:
            return answer.status_code, answer.json()["error"]["message"]
        return answer.status_code, self._upstream.requests[-1].headers["authorization"].split()[1]

    def reply(self, *some: Reply) -> None:
        self._upstream._replies.clear()
        self._upstream.reply(*some)

    async def becomes(self, row: StoredCredential, state: str) -> StoredCredential:
        async with asyncio.timeout(30):
            while (found := await get_credential(self.database, row.id, tenant=row.tenant)).state != state:
                await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncGenerator[Running]:
    key = new_master_key()
    async with FakeUpstream() as upstream:
        upstream.reply(GOOD)
        config = {
            **CONFIG,
            "gateway": {"database": f"sqlite:///{folder / 'gateway.db'}", "vault": {"master_key": key}},
            "provider": {"openai": {"base_url": f"{upstream.url}/v1", "vault": True, **settings}},
        }
        gateway = Gateway.from_dict(config, plugins=[People])
        async with gateway.lifespan(), gateway.client as client:
            await create_tenant(gateway._context.database, "acme", actor=ANN)
            yield Running(gateway, client, upstream, key)


async def test_it_starts_without_a_credential_and_uses_one_as_soon_as_it_is_there(tmp_path: Path):
    async with running(tmp_path, api_key={"env": "NOBODY_HAS_SET_THIS"}) as gateway:
        status, said = await gateway.call()
        assert status == 503
        assert "gateway credentials add openai" in said
        new = NewCredential(tenant=OPERATOR, provider="openai", name="main", given=of_key("sk-fake-live"))
        row = await add(gateway.database, gateway.vault, new, actor=ANN)
        async with asyncio.timeout(30):  # by itself
            while (await gateway.call())[0] != 200:
                await asyncio.sleep(0.05)
        assert await gateway.call() == (200, "sk-fake-live")
        await gateway.becomes(row, "working")
        await gateway.change(row, enabled=False)
        assert (await gateway.call())[0] == 503


async def test_the_operators_join_those_of_the_config_by_weight(tmp_path: Path):
    async with running(tmp_path, api_key="sk-config") as gateway:
        await gateway.add("sk-heavy", weight=6)
        light = await gateway.add("sk-light")
        used = Counter([(await gateway.call())[1] for _ in range(16)])
        assert used == {"sk-heavy": 12, "sk-light": 2, "sk-config": 2}
        await gateway.change(light, weight=6)
        used = Counter([(await gateway.call())[1] for _ in range(13)])
        assert used == {"sk-heavy": 6, "sk-light": 6, "sk-config": 1}


async def test_a_tenant_with_its_own_never_uses_the_operators(tmp_path: Path):
    async with running(tmp_path, api_key="sk-config") as gateway:
        assert await gateway.call("acme") == (200, "sk-config")
        own = await gateway.add("sk-of-acme", tenant="acme")
        assert {await gateway.call("acme") for _ in range(3)} == {(200, "sk-of-acme")}
        assert await gateway.call("default") == (200, "sk-config")
        await gateway.change(own, enabled=False)
        status, said = await gateway.call("acme")
        assert (status, "credential of your own" in said) == (503, True)
        # Nor when it cannot be opened, as after a restart without the key that it is sealed with.
        await gateway.change(own, enabled=True)
        live = gateway.gateway._credentials
        live._known.clear()
        live.vault = Vault([new_master_key()])
        await live._refresh(0)
        assert (await gateway.call("acme"))[0] == 503


async def test_a_refusal_is_noted_and_the_next_one_used(tmp_path: Path):
    async with running(tmp_path) as gateway:
        refused = await gateway.add("sk-fake-refused-0123456789")
        said = replies.refusal("Key sk-fake-refused-0123456789 is revoked.", code="revoked")
        gateway.reply(Reply(status=401, headers=JSON, parts=[said]))
        assert (await gateway.call())[0] == 401
        found = await gateway.becomes(refused, "failing")
        assert found.last_error == "401: Key [redacted] is revoked."
        gateway.reply(GOOD)
        await gateway.add("sk-fake-better")
        assert {await gateway.call() for _ in range(3)} == {(200, "sk-fake-better")}


async def test_calls_go_on_while_the_keys_rotate(tmp_path: Path):
    async with running(tmp_path) as gateway:
        for number in range(4):
            await gateway.add(f"sk-fake-{number}")
        results: list[int] = []

        async def calls(enough: Callable[[], bool]) -> None:
            while not enough():
                results.append((await gateway.call())[0])

        rotating = asyncio.create_task(
            rotate(gateway.database, Vault([new_master_key(), gateway.key]), actor=ANN, batch=1)
        )
        await calls(rotating.done)
        await gateway.seen()
        await calls(lambda: len(results) > 10)
        assert (await rotating).done == 4
        assert set(results) == {200}
