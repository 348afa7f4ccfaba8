"""Selling prices, and pricing again, through the admin API."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway import Gateway

from .people import signed_in
from .rows import NOON, Rows

OPERATOR = signed_in("default", "usr_op", "owner", "gateway.billing")
ACME = signed_in("acme", "usr_ann", "owner")
BETA = signed_in("beta", "usr_bob", "owner")
MARK = "canary-of-acme"


@pytest.fixture(scope="module", autouse=True)
def tenants(rows: Rows) -> None:
    for tenant in ("default", "acme", "beta"):
        rows.tenant(tenant)


def post(client: TestClient, path: str, body: dict[str, Any], code: int) -> dict[str, Any]:
    answer = client.post(path, json=body, headers=OPERATOR)
    assert answer.status_code == code, answer.text
    return answer.json()


def test_a_selling_price_is_the_operators_to_set(client: TestClient):
    body = {"tenant": "acme", "margin_percent": "12.5", "note": MARK, "valid_from": "2025-01-01T00:00:00"}
    made = post(client, "/selling-prices", body, 201)
    assert (made["margin_percent"], made["valid_from"]) == ("12.5", "2025-01-01T00:00:00Z")
    listed = client.get("/selling-prices", headers=OPERATOR).json()["data"]
    assert [row["id"] for row in listed] == [made["id"]]
    assert post(client, f"/selling-prices/{made['id']}/end", {}, 200)["valid_until"] is not None
    assert post(client, f"/selling-prices/{made['id']}/end", {}, 409)["code"] == "conflict"
    assert post(client, "/selling-prices/sell_nobody/end", {}, 404)["code"] == "not_found"
    for who in (ACME, BETA):
        assert client.get("/selling-prices", headers=who).status_code == 403
        assert client.post("/selling-prices", json=body, headers=who).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"margin_percent": "x"},
        {"margin_percent": "NaN"},
        {"margin_percent": "1e999999999"},
        {"margin_percent": "1e-999999999"},
        {"rates": {"input": "1e-999999999", "output": "1"}},
        {"rates": {"input": "1e999999999", "output": "1"}},
        {"rates": {"input": "1"}},
        {"rates": {"input": "1", "output": "Infinity"}},
        {"rates": {"input": [], "output": {}}},
        {"rates": {"long": "x", "input": "1", "output": "1"}},
        {"margin_percent": "1", "tenant": ""},
    ],
)
def test_what_is_no_price_is_refused_and_named(client: TestClient, body: dict[str, Any]):
    answer = client.post("/selling-prices", json=body, headers=OPERATOR)
    assert answer.status_code == 400, answer.text


def test_a_period_is_priced_again_and_each_tenant_sees_its_own(
    client: TestClient, rows: Rows, gateway: Gateway
):
    used = {
        "prompt_tokens": 1000,
        "completion_tokens": 0,
        "cost": 100_000,
        "charge": 100_000,
        "price_version": "old",
    }
    call = rows.call("acme", at=NOON, upstream_model="echo", **used)
    rows.call("beta", at=NOON + 1, upstream_model="echo", **used)
    rates = {"input": "2", "output": "3"}
    made = post(
        client,
        "/selling-prices",
        {"tenant": "acme", "rates": rates, "note": MARK, "valid_from": "2025-01-01T00:00:00Z"},
        201,
    )
    portal = client.portal
    assert portal is not None
    portal.call(gateway._context.changes.look)
    wanted = {"since": "2025-06-16T00:00:00Z", "until": "2025-06-17T00:00:00Z", "reason": "a contract"}
    shown = post(client, "/reprice", wanted, 200)
    assert shown["changes"] == [
        {"tenant": "acme", "model": "mock/fast", "calls": 1, "cost_nano": 0, "charge_nano": 1_900_000}
    ]
    assert client.get("/price-adjustments", headers=ACME).json()["data"] == []
    assert post(client, "/reprice", {**wanted, "apply": True}, 200)["applied"] is True
    (row,) = client.get("/price-adjustments", headers=ACME).json()["data"]
    assert (row["call"], row["charge_nano"], row["reason"]) == (call, 1_900_000, "a contract")
    assert client.get("/price-adjustments", headers=BETA).json()["data"] == []
    assert client.post("/reprice", json=wanted, headers=ACME).status_code == 403
    assert made["id"].startswith("sell_")
