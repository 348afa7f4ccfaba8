"""Apps that register themselves, and the subscription of their tenant."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Generator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.sdk.did_abt import APPLICATION, abt_did
from gateway.store.components import change_component, list_components
from gateway.store.tenants import TenantSettings, create_tenant
from gateway_aigne import Aigne
from gateway_component.aigne import stable_json
from gateway_subscription.rows import subscribe

from .conftest import ACTOR, Hub


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Hub]:
    """A gateway at which apps may register, and tenants subscribe."""
    config: dict[str, Any] = {
        "gateway": {
            "database": f"sqlite:///{tmp_path_factory.mktemp('shop') / 'gateway.db'}",
            "failures_per_minute": 0,
            "identity": {"sign_ins_per_minute": 20},
        },
        "auth": {"component": {"aigne_compat": True}, "apikey": {}},
        "service": {"aigne": {"apps_tenant": "apps"}},
        "billing": {"subscription": {"plans": {"ten": {"name": "Ten", "price": "5", "included": "10"}}}},
        "provider": {"mock": {}},
    }
    gateway = Gateway.from_dict(config, plugins=[Aigne])
    with TestClient(gateway, raise_server_exceptions=False) as client:
        shop = Hub(gateway, client)
        shop.run(create_tenant, shop.context.database, "apps", TenantSettings(name="Apps"), actor=ACTOR)
        shop.run(create_tenant, shop.context.database, "other", TenantSettings(name="Other"), actor=ACTOR)
        yield shop


class App:
    """A program that signs as the hub's remote apps do."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes_raw()
        self.id = abt_did(self.public, APPLICATION)

    def signed(self, *, ago: int = 0) -> dict[str, str]:
        """Headers that are taken once: those of another second are others."""
        at = int(time.time()) - ago
        text = stable_json({"appId": self.id, "timestamp": at, "data": {}})
        signature = self.key.sign(hashlib.sha3_256(text.encode()).digest())
        return {"x-app-id": self.id, "x-timestamp": str(at), "x-component-sig": "0x" + signature.hex()}


def status(shop: Hub, app: App, *, ago: int = 0) -> Any:
    return shop.get("/api/app/status", app.signed(ago=ago))


def test_an_app_that_registers_is_let_in_by_an_administrator(shop: Hub) -> None:
    app = App()
    answer = shop.post("/api/app/register", {"publicKey": "0x" + app.public.hex()}, {})
    assert (answer.status_code, answer.json()) == (200, {"id": app.id, "paymentLink": None})
    assert shop.post("/api/app/register", {"publicKey": app.public.hex()}, {}).json()["id"] == app.id
    database = shop.context.database
    (row,) = [row for row in shop.run(list_components, database, "apps") if row.key_id == app.id]
    assert row.disabled_at is not None
    shop.run(shop.context.changes.look)
    assert status(shop, app).status_code == 401
    shop.run(change_component, database, "apps", row.id, {"disabled": False}, actor=ACTOR)
    shop.run(shop.context.changes.look)
    assert status(shop, app).json() == {"id": row.id, "subscription": None, "subscriptionDetailUrl": None}
    assert shop.post("/api/app/register", {"publicKey": app.public.hex()}, {}).status_code == 200
    shop.run(shop.context.changes.look)
    assert status(shop, app, ago=9).status_code == 200, "it stays enabled"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"publicKey": 3}', b'{"publicKey": "0x12"}', b"\xff", b"[" * 3000, b" " * 5000],
)
def test_what_is_no_key_is_refused(shop: Hub, body: bytes) -> None:
    answer = shop.client.post("/api/app/register", content=body)
    assert answer.status_code in {400, 413}
    assert answer.json()["error"]["message"]


def test_nobody_registers_where_only_administrators_do(hub: Hub) -> None:
    answer = hub.post("/api/app/register", {"publicKey": App().public.hex()}, {})
    assert answer.status_code == 403
    assert "administrator" in answer.json()["error"]["message"]


def test_a_subscription_is_cancelled_and_recovered(shop: Hub) -> None:
    database = shop.context.database
    plans: Any = shop.context.subscriptions
    shop.run(subscribe, database, plans.plans, "other", "ten", actor=ACTOR)
    shop.run(shop.context.changes.look)
    may, may_not = (
        shop.key("other", scopes=("calls.make", "billing.manage")),
        shop.key("other", scopes=("calls.make",)),
    )

    def post(way: str, who: Any) -> Any:
        return shop.post(f"/api/app/subscription/{way}", {}, who)

    assert post("cancel", may_not).status_code == 403
    cancelled = post("cancel", may).json()
    assert (cancelled["status"], cancelled["cancel_at_period_end"]) == ("active", True)
    assert cancelled["cancel_at"] == cancelled["current_period_end"] > time.time()
    recovered = post("recover", may).json()
    assert recovered == {**cancelled, "cancel_at_period_end": False, "cancel_at": None}
    elsewhere = shop.key("apps", scopes=("calls.make", "billing.manage"))
    assert post("cancel", elsewhere).status_code == 404, "that is another tenant's"


def test_there_is_nothing_to_cancel_without_subscriptions(hub: Hub) -> None:
    key = hub.key(scopes=("calls.make", "billing.manage"))
    assert hub.post("/api/app/subscription/cancel", {}, key).status_code == 404


def test_calls_are_not_handed_on(hub: Hub) -> None:
    key = hub.key()
    assert hub.get("/api/app/config", key).json() == {"useAIKitService": False}

    def patch(body: Any) -> Any:
        return hub.client.patch("/api/app/config", content=json.dumps(body), headers=dict(key))

    assert patch({"useAIKitService": False}).json() == {"useAIKitService": False}
    assert patch({"useAIKitService": True}).status_code == 400
    assert hub.get("/api/app/config").status_code == 401


def test_who_registers_too_often_has_to_wait(shop: Hub) -> None:
    """The last test of this gateway's: all requests come from one address."""
    while (answer := shop.post("/api/app/register", {"publicKey": "x"}, {})).status_code != 429:
        assert answer.status_code == 400
    assert answer.headers["retry-after"]
