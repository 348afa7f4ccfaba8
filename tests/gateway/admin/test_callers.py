"""The admin API with real credentials: API keys, sessions as tokens and as cookies, and a tenant that is suspended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.identity.people import Client, Proof, SignedIn
from gateway.store.audit import Actor
from gateway.store.keys import KeySettings, create_key
from gateway.store.memberships import add_member
from gateway.store.tenants import resume_tenant, suspend_tenant
from gateway.types import MAKE_CALLS

from .rows import Rows

TESTS = Actor(kind="gateway", id="tests")
HERE = Client(address="127.0.0.1", agent="tests")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    path: Path = tmp_path_factory.mktemp("admin") / "gateway.db"
    core = {"database": f"sqlite:///{path}", "identity": {"sign_up": "open", "sign_up_role": "member"}}
    return Gateway.from_dict({"gateway": core, "provider": {"mock": {}}, "auth": {"apikey": {}}})


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(gateway, base_url="http://localhost/admin/api") as client:
        yield client


@pytest.fixture(scope="module")
def ann(gateway: Gateway, rows: Rows) -> SignedIn:
    """A member of the operator's tenant, and an owner of another."""

    async def enter() -> SignedIn:
        sessions = gateway._context.sessions
        proof = Proof(kind="oidc", subject="https://issuer.example ann", label="ann@example.com", name="Ann")
        signed_in = await sessions.sign_in(proof, method="oidc", client=HERE)
        async with rows.database.begin() as connection:
            await add_member(connection, "acme", signed_in.session.user, "owner", revision=1)
        return signed_in

    return rows.run(enter)


def key(rows: Rows, *scopes: str, tenant: str = "acme", **settings: Any) -> dict[str, str]:
    async def create() -> str:
        chosen = KeySettings(scopes=scopes or None, **settings)
        return (await create_key(rows.database, "key", tenant=tenant, settings=chosen, actor=TESTS))[1]

    return {"authorization": f"Bearer {rows.run(create)}"}


def test_a_key_may_what_its_scopes_say(client: TestClient, rows: Rows) -> None:
    assert client.get("/calls", headers=key(rows)).status_code == 403
    assert client.get("/me", headers=key(rows)).json()["permissions"] == [MAKE_CALLS]
    reader = key(rows, "calls.read")
    assert client.get("/calls", headers=reader).status_code == 200
    assert client.get("/usage", headers=reader).status_code == 403
    # An operator's permission in the key of another tenant is worth nothing.
    assert client.get("/gateway/config", headers=key(rows, "gateway.config")).status_code == 403
    assert (
        client.get("/gateway/config", headers=key(rows, "gateway.config", tenant="default")).status_code
        == 200
    )
    elsewhere = key(rows, "calls.read", endpoints=("/v1/*",))
    assert client.get("/calls", headers=elsewhere).json()["code"] == "endpoint_not_allowed"
    assert client.get("/me/sessions", headers=reader).status_code in {403, 404}  # a key is no person
    assert client.get("/calls", headers={"authorization": "Bearer gw_wrong"}).status_code == 401


def test_a_session_acts_in_the_tenants_of_its_user(client: TestClient, rows: Rows, ann: SignedIn) -> None:
    headers = {"authorization": f"Bearer {ann.access}"}
    me = client.get("/me", headers=headers).json()
    assert (me["tenant"], me["roles"], me["name"]) == ("default", ["member"], "Ann")
    assert {tenant["id"] for tenant in me["tenants"]} == {"default", "acme"}
    assert client.get("/usage", headers=headers).status_code == 403
    assert client.get("/usage", headers={**headers, "x-tenant": "acme"}).status_code == 200
    assert client.get("/usage", headers={**headers, "x-tenant": "beta"}).status_code == 403


def test_a_cookie_changes_nothing_without_the_token_of_its_forms(
    client: TestClient, gateway: Gateway, rows: Rows, ann: SignedIn
) -> None:
    sessions = gateway._context.sessions
    cookies = [value.decode() for name, value in sessions.cookies.headers(ann) if name == b"set-cookie"]
    cookie = "; ".join(one.partition(";")[0] for one in cookies)
    headers = {"cookie": cookie, "x-tenant": "acme"}
    assert client.get("/usage", headers=headers).status_code == 200
    body = {"name": "from a form of somebody else's"}
    refused = client.post("/keys", json=body, headers=headers)
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    visitor = rows.run(lambda: sessions.visit({b"cookie": cookie.encode()}, client=HERE))
    assert visitor is not None
    made = client.post("/keys", json=body, headers={**headers, "x-csrf-token": visitor.csrf})
    assert made.status_code == 201, made.text
    assert made.json()["name"] == body["name"]


def test_a_suspended_tenant_is_looked_at_and_not_changed(
    client: TestClient, gateway: Gateway, rows: Rows
) -> None:
    headers = key(rows, "calls.read", "keys.manage", tenant="late")
    operator = key(rows, "keys.manage", "calls.read", "gateway.tenants", tenant="default")
    body = {"name": "new", "scopes": ["calls.read"]}

    async def change(function: Any, **more: Any) -> None:
        await function(rows.database, "late", actor=TESTS, **more)
        await gateway._context.changes.look()

    rows.run(lambda: change(suspend_tenant, operator_tenant="default"))
    assert client.get("/calls", headers=headers).status_code == 200
    assert client.post("/keys", json=body, headers=headers).json()["code"] == "tenant_suspended"
    assert client.post("/keys?tenant=late", json=body, headers=operator).status_code == 201
    rows.run(lambda: change(resume_tenant))
    assert client.post("/keys", json=body, headers=headers).status_code == 201
