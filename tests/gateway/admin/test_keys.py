"""`/keys`."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.store.audit import Actor
from gateway.store.keys import digest_of, get_key
from gateway.store.service_accounts import create_service_account

from .people import signed_in
from .rows import Rows

OWNER = signed_in("default", "usr_ann")
RIGHTS: dict[str, Any] = {
    "scopes": ["calls.make", "usage.read"],
    "models": ["mock/*"],
    "endpoints": ["/v1/chat/*"],
    "networks": ["10.0.0.0/8"],
    "limits": {"requests_per_minute": 60, "tokens_per_minute": None, "concurrent": 2},
    "budget": {"amount": "12.50", "currency": "EUR", "period": "week"},
    "expires_at": "2100-01-01T00:00:00Z",
}


def account(rows: Rows, tenant: str = "default") -> str:
    actor = Actor(kind="user", id="u")
    return rows.run(lambda: create_service_account(rows.database, tenant, "ci", "member", actor=actor)).id


def test_the_life_of_a_key(client: TestClient, rows: Rows):
    owner = account(rows)
    made = client.post("/keys", json={"name": "ci", "owner": owner, **RIGHTS}, headers=OWNER)
    assert made.status_code == 201, made.text
    secret = made.json()["key"]
    shown = {name: value for name, value in made.json().items() if name != "key"}
    assert {name: shown[name] for name in RIGHTS} == RIGHTS
    assert (shown["owner"], shown["state"], shown["last_used_at"]) == (owner, "active", None)
    where, tag = made.headers["location"].removeprefix("/admin/api"), made.headers["etag"]
    assert client.get(where, headers=OWNER).json() == shown

    change = {"name": "build", "networks": None, "limits": {"concurrent": 1}}
    assert client.patch(where, json=change, headers=OWNER).status_code == 428
    changed = client.patch(where, json=change, headers={**OWNER, "if-match": tag})
    assert changed.status_code == 200, changed.text
    limits = {"requests_per_minute": None, "tokens_per_minute": None, "concurrent": 1}
    expected = {**shown, "name": "build", "networks": None, "limits": limits}
    assert {**changed.json(), "revision": 0} == {**expected, "revision": 0}
    assert client.delete(where, headers={**OWNER, "if-match": tag}).status_code == 412

    rotated = client.post(f"{where}/rotate", json={"overlap_seconds": 60}, headers=OWNER)
    assert rotated.status_code == 201, rotated.text
    same = {"name", "owner", "scopes", "models", "endpoints", "networks", "limits", "budget", "expires_at"}
    assert {name: rotated.json()[name] for name in same} == {name: expected[name] for name in same}
    assert rotated.json()["key"] != secret
    old = client.get(where, headers=OWNER).json()
    assert old["state"] == "active"
    assert old["expires_at"] < "2100"

    assert client.delete(where, headers={**OWNER, "if-match": "*"}).status_code == 204
    assert client.get(where, headers=OWNER).json()["state"] == "revoked"
    conflict = client.patch(where, json={"name": "x"}, headers={**OWNER, "if-match": "*"})
    assert conflict.status_code == 409
    listed = client.get("/keys", headers=OWNER).json()["data"]
    assert rotated.json()["id"] in {key["id"] for key in listed}
    assert old["id"] not in {key["id"] for key in listed}
    every = client.get("/keys", params={"inactive": True}, headers=OWNER)
    assert old["id"] in {key["id"] for key in every.json()["data"]}
    assert secret not in every.text


def test_searching_keys(client: TestClient, rows: Rows):
    owner = account(rows)

    def make(name: str, **fields: Any) -> dict[str, Any]:
        return client.post("/keys", json={"name": name, **fields}, headers=OWNER).json()

    robot, plain = make("Robot 100%", owner=owner), make("robots_only")

    def found(text: str, **more: str) -> list[str]:
        listed: list[str] = []
        query = {"search": text, "limit": "1", **more}
        while True:
            answer = client.get("/keys", params=query, headers=OWNER).json()
            listed += [one["id"] for one in answer["data"]]
            if answer["next_cursor"] is None:
                return listed
            query["cursor"] = answer["next_cursor"]

    assert found("ROBOT") == [robot["id"], plain["id"]]
    assert found("100%") == found(owner) == found("robot", owner=owner) == [robot["id"]]
    assert found("s_o") == found(plain["id"][4:]) == [plain["id"]], "an underscore is one, and no wildcard"
    assert found("nothing like it") == []
    assert client.delete(f"/keys/{plain['id']}", headers={**OWNER, "if-match": "*"}).status_code == 204
    assert found("robots_only") == []
    assert found("robots_only", inactive="true") == [plain["id"]]
    assert client.get("/keys?search=", headers=OWNER).status_code == 422


def test_a_repeated_creation_makes_one_key_and_shows_it_once(client: TestClient):
    headers = {**OWNER, "idempotency-key": "make-a-key"}
    first, second = (client.post("/keys", json={"name": "once"}, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["key"].startswith("gw_")
    assert second.json()["key"] is None


def test_whoever_has_keys_of_their_own_sees_no_others(client: TestClient, rows: Rows):
    mine, other = account(rows), account(rows)
    me = signed_in("default", mine, "keys.own", "calls.make")
    theirs = client.post("/keys", json={"name": "theirs", "owner": other}, headers=OWNER).json()
    own = client.post("/keys", json={"name": "own"}, headers=me)
    assert (own.status_code, own.json()["owner"]) == (201, mine)
    assert client.post("/keys", json={"name": "x", "owner": other}, headers=me).status_code == 403
    assert [key["id"] for key in client.get("/keys", headers=me).json()["data"]] == [own.json()["id"]]
    assert client.get("/keys", params={"owner": other}, headers=me).json()["data"] == []
    where = f"/keys/{theirs['id']}"
    anyway = {**me, "if-match": "*"}
    assert client.get(where, headers=me).status_code == 404
    assert client.patch(where, json={"name": "x"}, headers=anyway).status_code == 404
    assert client.delete(where, headers=anyway).status_code == 404
    assert client.post(f"{where}/rotate", json={}, headers=me).status_code == 404
    reader = signed_in("default", "usr_eve", "keys.read")
    assert client.get(where, headers=reader).status_code == 200
    assert client.delete(where, headers={**reader, "if-match": "*"}).status_code == 403


def test_nobody_gives_a_key_more_than_they_have(client: TestClient):
    admin = signed_in("default", "usr_bob", "keys.manage", "calls.make")
    body = {"name": "x", "scopes": ["calls.make", "tenant.erase"]}
    assert client.post("/keys", json=body, headers=admin).status_code == 403
    made = client.post("/keys", json=body, headers=OWNER).json()
    where = f"/keys/{made['id']}"
    assert client.post(f"{where}/rotate", json={}, headers=admin).status_code == 403
    weaker = client.post("/keys", json={"name": "y"}, headers=admin).json()
    change = {"scopes": ["tenant.erase"]}
    refused = client.patch(f"/keys/{weaker['id']}", json=change, headers={**admin, "if-match": "*"})
    assert refused.status_code == 403
    no_calls = signed_in("default", "usr_bob", "keys.manage")
    assert client.post("/keys", json={"name": "x"}, headers=no_calls).status_code == 403
    theirs = signed_in("acme", "usr_carl", "owner", "gateway.config")
    assert (
        client.post("/keys", json={"name": "x", "scopes": ["gateway.config"]}, headers=theirs).status_code
        == 403
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": ["no.such"]}, "scopes"),
        ({"networks": ["10.0.0.1/8"]}, "networks"),
        ({"endpoints": ["v1"]}, "endpoints"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59.999999Z"}, "expires_at"),
        ({"budget": {"amount": "0"}}, "budget"),
        ({"budget": {"amount": 5}}, "budget"),
        ({"limits": {"concurrent": 0}}, "limits"),
        ({"owner": "usr_of_somebody_else"}, "owner"),
        ({"digest": "00"}, "digest"),
        ({"name": None}, "name"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(client: TestClient, body: dict[str, Any], field: str):
    answer = client.post("/keys", json={"name": "x", **body}, headers=OWNER)
    assert answer.status_code in {400, 422}, answer.text
    assert field in answer.text


def test_only_a_digest_is_stored(client: TestClient, rows: Rows):
    made = client.post("/keys", json={"name": "x"}, headers=OWNER).json()
    stored = rows.run(lambda: get_key(rows.database, "default", made["id"]))
    assert stored is not None
    assert stored.digest == digest_of(made["key"].encode())
