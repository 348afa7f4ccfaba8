"""An object of every kind, made in a tenant: the isolation test tries them all from another one.

Who declares an endpoint that names an object in its path adds how such an object is made to MAKERS; and to BODIES what
the endpoint wants, so that a request fails for no other reason.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import func, select

from gateway.identity.components import register
from gateway.identity.people import Client, Proof, Rules
from gateway.identity.sessions import Sessions
from gateway.store.audit import Actor, record
from gateway.store.changes import Changes
from gateway.store.components import NewComponent
from gateway.store.identity_tables import audit_log
from gateway.store.invitations import Invitation, invite
from gateway.store.keys import create_key
from gateway.store.memberships import add_member
from gateway.store.roles import Role, create_role
from gateway.store.service_accounts import ServiceAccount, create_service_account
from gateway.store.teams import Team, add_to_team, create_team
from gateway.store.users import create_user
from gateway.vault import Vault
from gateway.vault.credentials import NewCredential, add
from gateway.vault.given import API_KEY, Given
from gateway.vault.master import new_master_key

from .rows import Rows

Maker = Callable[[Rows, str], Mapping[str, str]]

MARK = "canary-of-another-tenant"
"""In every sample that has a name: no list of another tenant holds it."""


def call(rows: Rows, tenant: str) -> dict[str, str]:
    return {"id": rows.call(tenant, key_name=MARK)}


def audit_entry(rows: Rows, tenant: str) -> dict[str, str]:
    async def write() -> int:
        async with rows.database.begin() as connection:
            actor = Actor(kind="user", id=MARK)
            await record(connection, actor, "tenant.change", tenant, tenant=tenant)
            return await connection.scalar(select(func.max(audit_log.c.position))) or 0

    return {"id": str(rows.run(write))}


def component(rows: Rows, tenant: str) -> dict[str, str]:
    async def make() -> str:
        new, actor = NewComponent(tenant=tenant, name=MARK), Actor(kind="command", id="test")
        key = secrets.token_hex(32)
        return (await register(rows.database, new, key, held=None, actor=actor)).id

    return {"id": rows.run(make)}


def credential(rows: Rows, tenant: str) -> dict[str, str]:
    given = Given(kind=API_KEY, fields={API_KEY: "sk-fake-0123456789"}, hint="sk-…6789")
    new = NewCredential(tenant=tenant, provider="mock", name=MARK, given=given)
    actor = Actor(kind="command", id="test")
    return {"id": rows.run(lambda: add(rows.database, Vault([new_master_key()]), new, actor=actor)).id}


def user(rows: Rows, tenant: str) -> dict[str, str]:
    async def write() -> str:
        async with rows.database.begin() as connection:
            made = await create_user(connection, name=MARK, revision=1)
            await add_member(connection, tenant, made.id, "member", revision=1)
        return made.id

    return {"id": rows.run(write)}


def role(rows: Rows, tenant: str) -> dict[str, str]:
    async def write() -> Role:
        return await create_role(
            rows.database, tenant, f"role-{MARK}", permissions=["keys.own"], actor=Actor(kind="user", id="u")
        )

    return {"name": rows.run(write).name}


def team(rows: Rows, tenant: str) -> dict[str, str]:
    async def write() -> Team:
        return await create_team(rows.database, tenant, MARK, actor=Actor(kind="user", id="u"))

    return {"id": rows.run(write).id}


def team_member(rows: Rows, tenant: str) -> dict[str, str]:
    found, whom = team(rows, tenant)["id"], user(rows, tenant)["id"]

    async def write() -> Team:
        return await add_to_team(rows.database, tenant, found, whom, actor=Actor(kind="user", id="u"))

    rows.run(write)
    return {"id": found, "user": whom}


def service_account(rows: Rows, tenant: str) -> dict[str, str]:
    async def write() -> ServiceAccount:
        return await create_service_account(
            rows.database, tenant, MARK, "member", actor=Actor(kind="user", id="u")
        )

    return {"id": rows.run(write).id}


def invitation(rows: Rows, tenant: str) -> dict[str, str]:
    async def write() -> tuple[Invitation, str]:
        return await invite(
            rows.database, tenant, "member", email=f"{MARK}@a.example", actor=Actor(kind="user", id="u")
        )

    return {"id": rows.run(write)[0].id}


def key(rows: Rows, tenant: str) -> dict[str, str]:
    actor = Actor(kind="user", id="u")
    return {"id": rows.run(lambda: create_key(rows.database, MARK, tenant=tenant, actor=actor))[0].id}


def session(rows: Rows, tenant: str) -> dict[str, str]:
    whom = user(rows, tenant)["id"]

    async def open_() -> str:
        sessions = Sessions(rows.database, Changes(rows.database), Rules())
        return (await sessions.sign_in_user(whom, method="link", client=Client(agent=MARK))).session.id

    return {"id": rows.run(open_)}


def way(rows: Rows, tenant: str) -> dict[str, str]:
    whom = user(rows, tenant)["id"]

    async def add_() -> str:
        sessions = Sessions(rows.database, Changes(rows.database), Rules())
        proof = Proof(kind="did", subject=f"did:key:{whom}", label=MARK)
        return (await sessions.add_identity(whom, proof, actor=Actor(kind="user", id=whom))).id

    return {"id": rows.run(add_)}


MAKERS: Mapping[str, Maker] = {
    "/sessions/{id}": session,
    "/me/sessions/{id}": session,
    "/me/ways/{id}": way,
    "/users/{id}": user,
    "/roles/{name}": role,
    "/teams/{id}": team,
    "/teams/{id}/members/{user}": team_member,
    "/service-accounts/{id}": service_account,
    "/invitations/{id}": invitation,
    "/keys/{id}": key,
    "/credentials/{id}": credential,
    "/components/{id}": component,
    "/calls/{id}": call,
    "/audit/{id}": audit_entry,
}
"""By the path of an endpoint, or the beginning of it that ends in an object: makes one, and returns what the path names."""

BODIES: Mapping[tuple[str, str], Any] = {
    ("PATCH", "/users/{id}"): {"role": "viewer"},
    ("PATCH", "/roles/{name}"): {"description": "Other"},
    ("PATCH", "/teams/{id}"): {"name": "Other"},
    ("PATCH", "/service-accounts/{id}"): {"name": "Other"},
    ("PATCH", "/keys/{id}"): {"name": "Other"},
    ("POST", "/keys/{id}/rotate"): {},
    ("PATCH", "/credentials/{id}"): {"weight": 2},
    ("PATCH", "/components/{id}"): {"disabled": True},
}
"""By method and path."""

SHARED = {
    "/models/{id:path}": "models are the gateway's, not a tenant's",
    "/gateway/models/{id:path}": "models are the gateway's, not a tenant's",
}
"""Paths whose objects belong to no tenant, and why."""
