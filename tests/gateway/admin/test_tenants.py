"""Tenants and their people through the admin API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gateway.store.identity_tables import audit_log
from gateway.store.memberships import add_member
from gateway.store.users import create_user

from .people import new_gateway, signed_in
from .rows import Rows
from .samples import user

OPERATOR = signed_in("default", "usr_op", "owner")
ACME = signed_in("acme", "usr_ann", "owner")
ADMIN = signed_in("acme", "usr_adm", "admin")


@pytest.fixture(scope="module", autouse=True)
def acme(client: TestClient, rows: Rows) -> None:
    begin(client, rows)


def begin(client: TestClient, rows: Rows) -> None:
    """Make the operator's tenant, and another."""
    rows.tenant("default")
    assert client.post("/tenants", json={"id": "acme", "name": "Acme"}, headers=OPERATOR).status_code == 201


def change(client: TestClient, path: str, body: Any, who: dict[str, str], match: str = "*") -> Response:
    return client.patch(path, json=body, headers={**who, "if-match": match})


def made(client: TestClient, path: str, body: Any, who: dict[str, str] = ACME) -> dict[str, Any]:
    answer = client.post(path, json=body, headers=who)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_tenant_is_changed_by_who_has_seen_it(client: TestClient):
    seen = client.get("/tenant", headers=ACME)
    assert seen.json()["name"] == "Acme"
    body = {"name": "Acme Inc.", "retention_days": 30}
    changed = change(client, "/tenant", body, ACME, seen.headers["etag"])
    assert (changed.status_code, changed.json()["retention_days"]) == (200, 30)
    assert change(client, "/tenant", body, ACME, seen.headers["etag"]).status_code == 412
    assert client.patch("/tenant", json=body, headers=ACME).status_code == 428


def test_what_a_tenant_may_use_is_the_operators_to_say(client: TestClient):
    assert change(client, "/tenant", {"models": None}, ACME).status_code == 422
    assert change(client, "/tenants/acme", {"models": ["fast"]}, ACME).status_code == 403
    body = {"models": ["fast"], "providers": ["mock"], "limits": {"concurrent": 5}}
    changed = change(client, "/tenants/acme", body, OPERATOR).json()
    assert (changed["models"], changed["limits"]["concurrent"]) == (["fast"], 5)
    taken_back = {"models": None, "providers": None, "limits": None}
    assert change(client, "/tenants/acme", taken_back, OPERATOR).json()["limits"] is None
    assert change(client, "/tenants/acme", {"limits": {"concurrent": 0}}, OPERATOR).status_code == 422
    assert client.get("/tenants", headers=ACME).status_code == 403
    names = [tenant["id"] for tenant in client.get("/tenants", headers=OPERATOR).json()["data"]]
    assert names == ["default", "acme"]


def test_suspending_and_erasing_a_tenant(client: TestClient):
    made(client, "/tenants", {"id": "old"}, OPERATOR)
    assert client.post("/tenants/old/suspend", headers=OPERATOR).json()["state"] == "suspended"
    assert client.post("/tenants/old/resume", headers=OPERATOR).json()["state"] == "active"
    assert client.post("/tenants/default/suspend", headers=OPERATOR).status_code == 409
    wrong = client.post("/tenants/old/erase", json={"confirm": "acme"}, headers=OPERATOR)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "not_confirmed")
    assert client.post("/tenants/old/erase", json={"confirm": "old"}, headers=OPERATOR).json()["users"] == 0
    assert client.get("/tenants/old", headers=OPERATOR).json()["state"] == "erased"
    assert client.post("/tenant/erase", json={"confirm": "acme"}, headers=ADMIN).status_code == 403


def test_an_export_is_the_tenants_own(client: TestClient):
    answer = client.get("/tenant/export", headers=ACME)
    assert answer.headers["content-type"] == "application/jsonl"
    assert json.loads(answer.text.splitlines()[0])["id"] == "acme"
    assert client.get("/tenants/acme/export", headers=OPERATOR).text.splitlines()[0] in answer.text
    assert client.get("/tenants/nobody/export", headers=OPERATOR).status_code == 404
    assert client.get("/tenant/export", headers=ADMIN).status_code == 403


def test_roles_of_ones_own(client: TestClient):
    role = made(client, "/roles", {"name": "auditor", "permissions": ["audit.read"]}, ADMIN)
    assert role["permissions"] == ["audit.read"]
    listed = {one["name"]: one["custom"] for one in client.get("/roles", headers=ADMIN).json()["data"]}
    assert listed == {
        "owner": False,
        "admin": False,
        "member": False,
        "billing": False,
        "viewer": False,
        "auditor": True,
    }
    body = {"permissions": ["tenant.erase"]}
    beyond = change(client, "/roles/auditor", body, ADMIN)
    assert (beyond.status_code, beyond.json()["code"]) == (403, "beyond_own_permissions")
    assert change(client, "/roles/auditor", body, ACME).json()["permissions"] == ["tenant.erase"]
    assert client.delete("/roles/auditor", headers={**ADMIN, "if-match": "*"}).status_code == 403
    assert client.delete("/roles/auditor", headers={**ACME, "if-match": "*"}).status_code == 204
    assert client.delete("/roles/owner", headers={**ACME, "if-match": "*"}).status_code == 409
    body = {"name": "r", "permissions": ["gateway.tenants"]}
    assert client.post("/roles", json=body, headers=OPERATOR).status_code == 400
    known = {one["name"] for one in client.get("/permissions", headers=ACME).json()["data"]}
    assert "keys.read" in known


def test_members_and_their_roles(client: TestClient, rows: Rows):
    bob = user(rows, "acme")["id"]
    assert client.get(f"/users/{bob}", headers=ACME).json()["role"] == "member"
    assert change(client, f"/users/{bob}", {"role": "owner"}, ADMIN).status_code == 403
    assert change(client, f"/users/{bob}", {"role": "owner"}, ACME).json()["role"] == "owner"
    assert change(client, f"/users/{bob}", {"role": "viewer"}, ADMIN).status_code == 403
    last = client.delete(f"/users/{bob}", headers={**ACME, "if-match": "*"})
    assert (last.status_code, last.json()["code"]) == (409, "last_owner")
    eve = user(rows, "acme")["id"]
    assert client.delete(f"/users/{eve}", headers={**ADMIN, "if-match": "*"}).status_code == 204
    assert client.get(f"/users/{eve}", headers=ACME).status_code == 404


def test_the_operator_sees_everybody(client: TestClient, rows: Rows):
    eve = user(rows, "acme")["id"]
    assert client.get("/gateway/users", headers=ACME).status_code == 403
    assert eve in client.get("/gateway/users", headers=OPERATOR).text
    assert client.get(f"/gateway/users/{eve}", headers=OPERATOR).json()["roles"] == {"acme": "member"}
    path = f"/gateway/users/{eve}"
    assert client.post(f"{path}/disable", headers=OPERATOR).json()["state"] == "disabled"
    assert client.post(f"{path}/enable", headers=OPERATOR).json()["state"] == "active"
    assert client.post(f"{path}/erase", headers=OPERATOR).json()["calls"] == 0
    assert client.get(path, headers=OPERATOR).json()["state"] == "erased"
    assert client.get("/gateway/users/usr_nobody", headers=OPERATOR).status_code == 404


def test_searching_people(client: TestClient, rows: Rows):
    def somebody(name: str, email: str | None) -> str:
        async def write() -> str:
            async with rows.database.begin() as connection:
                made = await create_user(connection, name=name, email=email, revision=1)
                await add_member(connection, "acme", made.id, "member", revision=1)
            return made.id

        return rows.run(write)

    zoe, zed = somebody("Zoe Searched", "zoe_1@searched.example"), somebody("Zed", None)

    def found(path: str, text: str, who: Mapping[str, str]) -> set[str]:
        listed: set[str] = set()
        query = {"search": text, "limit": "1"}
        while True:
            answer = client.get(path, params=query, headers=who).json()
            listed |= {one["id"] for one in answer["data"]}
            if answer["next_cursor"] is None:
                return listed
            query["cursor"] = answer["next_cursor"]

    for path, who in (("/users", ACME), ("/gateway/users", OPERATOR)):
        assert found(path, "searched", who) == found(path, "ZOE_1@", who) == {zoe}
        assert found(path, zed, who) == {zed}
        assert found(path, "z%d", who) == set()
    assert found("/users", "searched", OPERATOR) == set(), "they are members of another tenant"


def test_everybody_names_themselves(client: TestClient, rows: Rows):
    eve = signed_in("acme", user(rows, "acme")["id"], "viewer")
    assert client.patch("/me", json={"name": "Eve"}, headers=eve).json()["name"] == "Eve"
    assert client.patch("/me", json={"name": " "}, headers=eve).status_code == 400
    assert client.patch("/me", json={"name": "Nobody"}, headers=signed_in("acme", "usr_x")).status_code == 404


def test_teams(client: TestClient, rows: Rows):
    team, bob = made(client, "/teams", {"name": "Research"}), user(rows, "acme")["id"]
    path = f"/teams/{team['id']}"
    assert client.put(f"{path}/members/{bob}", headers=ACME).status_code == 200
    assert client.put(f"{path}/members/usr_nobody", headers=ACME).status_code == 404
    assert client.get(path, headers=ACME).json()["members"] == [bob]
    assert change(client, path, {"name": "Lab"}, ACME).json()["name"] == "Lab"
    assert client.delete(f"{path}/members/{bob}", headers=ACME).status_code == 204
    assert client.delete(path, headers={**ACME, "if-match": "*"}).status_code == 204
    assert client.get(path, headers=ACME).status_code == 404


def test_service_accounts(client: TestClient):
    made_one = made(client, "/service-accounts", {"name": "CI", "role": "member"}, ADMIN)
    path = f"/service-accounts/{made_one['id']}"
    beyond = client.post("/service-accounts", json={"name": "CI", "role": "owner"}, headers=ADMIN)
    assert beyond.status_code == 403
    assert change(client, path, {"disabled": True}, ADMIN).json()["disabled_at"] is not None
    assert change(client, path, {"disabled": False, "name": "CD"}, ADMIN).json()["disabled_at"] is None
    assert client.delete(path, headers={**ADMIN, "if-match": "*"}).status_code == 204


def test_the_link_of_an_invitation_is_shown_once(client: TestClient):
    body = {"role": "member", "email": "bob@a.example"}
    headers = {**ADMIN, "idempotency-key": "invite-bob"}
    first = client.post("/invitations", json=body, headers=headers).json()
    assert "/sign-in?invitation=gi_" in first["link"]
    again = client.post("/invitations", json=body, headers=headers).json()
    assert (again["id"], again["link"]) == (first["id"], None)
    path = f"/invitations/{first['id']}"
    assert client.get(path, headers=ADMIN).json()["link"] is None
    assert "gi_" not in client.get("/invitations", headers=ADMIN).text
    assert client.post("/invitations", json={"role": "owner"}, headers=ADMIN).status_code == 403
    assert client.delete(path, headers={**ADMIN, "if-match": "*"}).status_code == 204
    assert client.get(path, headers=ADMIN).json()["state"] == "revoked"


def test_all_of_this_is_in_the_audit_log_without_addresses(tmp_path: Path):
    """Done once more, in a gateway of its own: tests of a module may run in several processes."""
    gateway = new_gateway(tmp_path)
    with TestClient(gateway, base_url="http://gateway/admin/api") as client:
        assert client.portal is not None
        rows = Rows(gateway._context.database, client.portal)
        begin(client, rows)
        test_a_tenant_is_changed_by_who_has_seen_it(client)
        test_suspending_and_erasing_a_tenant(client)
        test_roles_of_ones_own(client)
        test_members_and_their_roles(client, rows)
        test_the_operator_sees_everybody(client, rows)
        test_teams(client, rows)
        test_service_accounts(client)
        test_the_link_of_an_invitation_is_shown_once(client)

        async def read() -> list[Any]:
            async with rows.database.connect() as connection:
                return [*(await connection.execute(audit_log.select())).all()]

        entries = rows.run(read)
    assert {entry.action for entry in entries} >= {
        "tenant.create",
        "tenant.change",
        "tenant.suspend",
        "tenant.resume",
        "tenant.erase",
        "role.create",
        "role.change",
        "role.delete",
        "member.change",
        "member.remove",
        "user.disable",
        "user.enable",
        "user.erase",
        "team.create",
        "team.add",
        "team.take",
        "team.delete",
        "service_account.create",
        "service_account.change",
        "service_account.delete",
        "invitation.create",
        "invitation.revoke",
    }
    text = "\n".join(f"{entry.before} {entry.after}" for entry in entries)
    assert "bob@a.example" not in text
    assert "gi_" not in text
