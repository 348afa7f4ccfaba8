"""`/receipts` of the admin API: each tenant sees its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway import Gateway
from gateway.protocols import Incoming
from gateway.testing.fakes import FakeProvider, plugin_with
from gateway.types import Principal
from gateway_receipts import Receipts

from .test_receipts import ASKED, KEY, ask


class Words:
    """Believes `Authorization: Test TENANT PERMISSION…`."""

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        scheme, *words = incoming.headers.get(b"authorization", b"-").decode().split()
        if scheme != "Test":
            return None
        tenant, *scopes = words
        return Principal(tenant=tenant, authenticator="words", key="key_x", scopes=frozenset(scopes))


def who(tenant: str, *scopes: str) -> dict[str, str]:
    return {"authorization": " ".join(("Test", tenant, *scopes))}


async def test_a_tenant_finds_its_receipts_again_and_no_others(tmp_path: Path) -> None:
    fake = plugin_with("provider.fake", register_providers=[FakeProvider()])
    words = plugin_with("auth.words", register_authenticators=[Words()])
    config: dict[str, Any] = {
        "gateway": {"database": f"sqlite:///{tmp_path / 'gateway.db'}"},
        "auth": {"words": {}},
        "provider": {"fake": {}},
        "service": {"receipts": {"key": KEY}},
    }
    gateway = Gateway.from_dict(config, plugins=[Receipts, fake, words])
    async with gateway.lifespan(), gateway.client as client:
        caller = {**who("acme", "calls.make"), **ASKED}
        given = [(await ask(client, headers=caller)).headers["x-gateway-receipt"] for _ in range(3)]

        async def get(path: str, *of: str) -> Any:
            return await client.get(f"/admin/api/receipts{path}", headers=who(*of))

        first = (await get("?limit=2", "acme", "billing.read")).json()
        rest = (await get(f"?cursor={first['next_cursor']}", "acme", "billing.read")).json()
        found = [*first["data"], *rest["data"]]
        assert [each["receipt"] for each in found] == given
        assert [each["number"] for each in found] == [1, 2, 3]
        one = await get(f"/{found[1]['call']}", "acme", "billing.read")
        assert one.json() == found[1]
        assert (await get(f"/{found[1]['call']}", "other", "billing.read")).status_code == 404
        assert (await get("", "other", "billing.read")).json()["data"] == []
        assert (await get("", "acme", "calls.read")).status_code == 403
