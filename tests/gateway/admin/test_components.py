"""`/components`."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.testclient import TestClient

from gateway.sdk.did_key import did_of

from .people import signed_in

OWNER = signed_in("default", "usr_ann")


def new_key() -> bytes:
    return Ed25519PrivateKey.generate().public_key().public_bytes_raw()


def test_the_life_of_a_component(client: TestClient):
    key = new_key()
    body = {"name": "billing", "public_key": key.hex(), "models": ["mock/*"]}
    made = client.post("/components", json=body, headers=OWNER)
    assert made.status_code == 201, made.text
    assert made.json()["key_id"] == did_of(key)
    where, tag = made.headers["location"].removeprefix("/admin/api"), made.headers["etag"]
    assert client.get(where, headers=OWNER).json() == made.json()
    again = client.post("/components", json={**body, "public_key": did_of(key)}, headers=OWNER)
    assert (again.status_code, again.json()["code"]) == (409, "key_registered")
    changed = client.patch(
        where, json={"disabled": True, "models": None}, headers={**OWNER, "if-match": tag}
    ).json()
    assert changed["disabled_at"]
    assert changed["models"] is None
    assert changed["name"] == "billing"
    assert client.delete(where, headers={**OWNER, "if-match": tag}).status_code == 412
    assert client.delete(where, headers={**OWNER, "if-match": "*"}).status_code == 204
    assert client.get(where, headers=OWNER).status_code == 404


def test_nobody_gives_a_component_more_than_they_have(client: TestClient):
    admin = signed_in("default", "usr_bob", "components.manage", "calls.make")
    body = {"name": "x", "public_key": new_key().hex(), "scopes": ["calls.make", "keys.manage"]}
    assert client.post("/components", json=body, headers=admin).status_code == 403
    assert (
        client.post(
            "/components/tickets", json={"name": "x", "scopes": ["keys.manage"]}, headers=admin
        ).status_code
        == 403
    )
    assert client.post("/components", json={**body, "scopes": ["no.such"]}, headers=OWNER).status_code == 400
    made = client.post("/components", json={**body, "scopes": ["calls.make"]}, headers=admin).json()
    change = {"scopes": ["keys.manage"]}
    where = f"/components/{made['id']}"
    assert client.patch(where, json=change, headers={**admin, "if-match": "*"}).status_code == 403


def test_what_is_no_key_is_refused(client: TestClient):
    for key in ("", "zz", "did:key:z6Mk", "00" * 31, "did:web:acme.example"):
        answer = client.post("/components", json={"name": "x", "public_key": key}, headers=OWNER)
        assert answer.status_code in {400, 422}, answer.text


def test_a_ticket_is_shown_once(client: TestClient):
    headers = {**OWNER, "idempotency-key": "one"}
    first = client.post("/components/tickets", json={"name": "x"}, headers=headers).json()
    assert len(first["ticket"]) > 20
    assert client.post("/components/tickets", json={"name": "x"}, headers=headers).json()["ticket"] is None
