"""Sessions over the admin API: one's own, and those of the tenant's members."""

from __future__ import annotations

from functools import partial

from starlette.testclient import TestClient

from gateway import Gateway
from gateway.identity.people import Client, Proof, SignedIn
from gateway.store.audit import Actor
from gateway.store.changes import bump
from gateway.store.memberships import add_member
from gateway.store.tenants import create_tenant
from gateway.store.users import create_user

from .people import signed_in
from .rows import Rows


def sign_in(gateway: Gateway, rows: Rows, *tenants: str) -> SignedIn:
    """A new user who is a member of these tenants, signed in for the first."""

    async def opened() -> SignedIn:
        async with rows.database.begin() as connection:
            revision = await bump(connection, "memberships")
            user = await create_user(connection, name="Ann", revision=await bump(connection, "users"))
            for tenant in tenants:
                await add_member(connection, tenant, user.id, "member", revision=revision)
        sessions = gateway._context.sessions
        return await sessions.sign_in_user(user.id, method="link", client=Client(agent="curl/8"))

    return rows.run(opened)


def bearer(session: SignedIn) -> dict[str, str]:
    return {"authorization": f"Bearer {session.access}"}


def test_an_admin_ends_the_session_of_a_member(gateway: Gateway, client: TestClient, rows: Rows) -> None:
    rows.tenant("acme")
    first, second = sign_in(gateway, rows, "acme"), sign_in(gateway, rows, "acme")
    admin = signed_in("acme", "usr_admin", "admin")
    listed = client.get("/sessions", params={"limit": 1}, headers=admin).json()
    rest = client.get("/sessions", params={"cursor": listed["next_cursor"]}, headers=admin).json()
    assert [row["id"] for row in (*listed["data"], *rest["data"])] == [first.session.id, second.session.id]
    assert rest["next_cursor"] is None
    (only,) = client.get("/sessions", params={"user": first.session.user}, headers=admin).json()["data"]
    assert only["agent"] == "curl/8"
    for secret in (first.access, first.refresh, "csrf", "digest"):
        assert secret not in str(listed)
    assert client.get("/me", headers=bearer(first)).status_code == 200
    assert client.get("/sessions", headers=bearer(first)).status_code == 403, "a member may not look"
    assert client.delete(f"/sessions/{first.session.id}", headers=admin).status_code == 204
    assert client.get("/me", headers=bearer(first)).status_code == 401
    shown = client.get(f"/sessions/{first.session.id}", headers=admin).json()
    assert shown["revoked_at"] is not None
    assert client.get("/me", headers=bearer(second)).status_code == 200


def test_people_look_after_their_own(gateway: Gateway, client: TestClient, rows: Rows) -> None:
    rows.run(lambda: create_tenant(rows.database, "globex", actor=Actor(kind="command", id="test")))
    rows.run(lambda: create_tenant(rows.database, "initech", actor=Actor(kind="command", id="test")))
    here = sign_in(gateway, rows, "globex", "initech")
    sessions, user = gateway._context.sessions, here.session.user
    there, third = (
        rows.run(lambda: sessions.sign_in_user(user, method="link", client=Client())) for _ in range(2)
    )
    me = bearer(here)
    assert len(client.get("/me/sessions", headers=me).json()["data"]) == 3
    assert client.delete(f"/me/sessions/{there.session.id}", headers=me).status_code == 204
    assert client.post("/me/sessions/revoke-others", headers=me).status_code == 204
    (left,) = client.get("/me/sessions", headers=me).json()["data"]
    assert left["id"] == here.session.id
    assert client.get("/me", headers=bearer(third)).status_code == 401

    assert client.put("/me/tenant", json={"tenant": "initech"}, headers=me).json()["tenant"] == "initech"
    assert client.get("/me", headers=me).json()["tenant"] == "initech"
    assert client.put("/me/tenant", json={"tenant": "default"}, headers=me).status_code == 403

    actor = Actor(kind="user", id=user)
    for name in ("one", "two"):
        proof = Proof(kind="did", subject=f"did:key:{user}{name}", label=name)
        rows.run(partial(sessions.add_identity, user, proof, actor=actor))
    ways = client.get("/me/ways", headers=me).json()["data"]
    assert [way["label"] for way in ways] == ["one", "two"]
    assert client.delete(f"/me/ways/{ways[0]['id']}", headers=me).status_code == 204
    last = client.delete(f"/me/ways/{ways[1]['id']}", headers=me)
    assert (last.status_code, last.json()["code"]) == (409, "last_identity")
