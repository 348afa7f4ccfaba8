from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway import Plugin
from gateway.store.audit import Actor
from gateway.store.keys import create_key, revoke_key, rotate_key
from gateway.testing.contracts import AuthContract
from gateway_apikey import ApiKey

TESTS = Actor(kind="gateway", id="tests")


class TestApiKey(AuthContract):
    plugin = ApiKey

    async def good(self, plugin: Plugin[Any]) -> Mapping[str, str]:
        _, key = await create_key(plugin.context.database, "contract", actor=TESTS)
        return {"authorization": f"Bearer {key}"}

    async def bad(self, plugin: Plugin[Any]) -> Sequence[Mapping[str, str]]:
        database = plugin.context.database
        old, rotated = await create_key(database, "rotated", actor=TESTS)
        await rotate_key(database, old.tenant, old.id, actor=TESTS)
        row, revoked = await create_key(database, "revoked", actor=TESTS)
        await revoke_key(database, row.tenant, row.id, actor=TESTS)
        mangled = (await self.good(plugin))["authorization"].swapcase().replace("bEARER", "Bearer")
        return [
            {"authorization": "Bearer gw_not-a-real-key"},
            {"authorization": f"Bearer {rotated}"},
            {"x-api-key": revoked},
            {"authorization": mangled},
        ]
