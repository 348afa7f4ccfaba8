"""`/api/v1` asks for the component's subscription, `/api/v2` for the user's credits."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.doors import Standing
from gateway.sdk.signing import Signer
from gateway.store.tenants import create_tenant
from gateway_aigne import Aigne

from .conftest import ACTOR, Hub

BODY: dict[str, Any] = {"model": "mock/echo", "messages": [{"role": "user", "content": "Hello"}]}
V1 = "/api/v1/chat/completions"


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Hub]:
    config: dict[str, Any] = {
        "gateway": {"database": f"sqlite:///{tmp_path_factory.mktemp('shop') / 'gateway.db'}"},
        "auth": {"component": {"authorities": ["testserver"]}, "apikey": {}},
        "service": {"aigne": {}},
        "provider": {"mock": {}},
        "billing": {
            "subscription": {"authenticators": ["component"]},
            "credits": {"except_authenticators": ["component"], "unpriced_hold": 1},
        },
    }
    gateway = Gateway.from_dict(config, plugins=[Aigne])
    with TestClient(gateway, raise_server_exceptions=False) as client:
        yield Hub(gateway, client)


def asked(hub: Hub, component: Signer, unless: int) -> Any:
    """The component's answer, as soon as it is another than `unless`: workers learn of changes within a second."""
    content, ends = json.dumps(BODY).encode(), time.monotonic() + 20
    while True:
        sent = {"content-type": "application/json"}
        headers = component.headers("POST", f"http://testserver{V1}", content, sent)
        answer = hub.client.post(V1, content=content, headers=headers)
        if answer.status_code != unless or time.monotonic() > ends:
            return answer
        time.sleep(0.1)  # who asks too often with what is refused is refused for that


def test_components_need_a_subscription_and_users_need_credit(shop: Hub) -> None:
    shop.run(create_tenant, shop.context.database, "acme", actor=ACTOR)
    component, user = shop.component(), shop.key()
    assert asked(shop, component, 401).status_code == 402
    assert shop.post("/api/v2/chat/completions", BODY, user).status_code == 402
    now = int(time.time())
    standing = Standing(
        reference="stripe:sub_fake",
        plan="professional",
        seats=1,
        status="active",
        period_start=now,
        period_end=now + 86_400,
        cancel_at_end=False,
        told_at=now,
    )
    assert shop.context.subscriptions is not None
    assert shop.run(shop.context.subscriptions.follow, "acme", standing) is True
    assert asked(shop, component, 402).status_code == 200
    assert shop.post("/api/v2/chat/completions", BODY, user).status_code == 402
    assert shop.context.credits is not None
    shop.run(shop.context.credits.grant, "acme", 5 * 10**9, kind="paid", reference="order-1")
    assert shop.post("/api/v2/chat/completions", BODY, user).status_code == 200
