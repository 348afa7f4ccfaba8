"""What becomes of claims: tenant, user, roles, permissions."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.identity import Actor
from gateway.plugin import Context
from gateway.store.roles import change_role, create_role
from gateway.store.tenants import create_tenant, suspend_tenant
from gateway.types import MAKE_CALLS
from gateway_jwt import Jwt

from .conftest import Request, Serve
from .oidc import AUDIENCE, CLIENT, Provider

ACTOR = Actor(kind="command", id="tests")
BY_TENANT: dict[str, Any] = {"tenant": "org.id"}


async def test_a_token_becomes_a_principal(issuer: Provider, serve: Serve):
    door = await serve()
    principal = await door.send(issuer.token())
    assert principal is not None
    assert (principal.tenant, principal.user, principal.authenticator) == ("default", "corp:alice", "jwt")
    assert (principal.scopes, principal.roles, principal.key) == ({MAKE_CALLS}, frozenset(), None)
    assert await door.send(issuer.token()) == principal


@pytest.mark.parametrize("header", ["x_api_key", "api_key", "x_goog_api_key"])
async def test_the_headers_of_other_dialects_hold_tokens_too(issuer: Provider, serve: Serve, header: str):
    authenticator = (await serve()).authenticator
    assert await authenticator.authenticate(Request(**{header: issuer.token()}))


async def test_other_credentials_are_left_to_others(serve: Serve):
    door = await serve()
    for other in ("gw_abc", "gs_abc", "a.b", "a.b.c.d", "", "x" * 20_000):
        assert await door.send(other) is None
    assert await door.authenticator.authenticate(Request()) is None


async def test_roles_and_scopes_become_permissions(issuer: Provider, serve: Serve):
    door = await serve(
        claims={"roles": "realm_access.roles", "scopes": "scp"}, roles={"ai-people": "viewer"}, permissions=()
    )
    principal = await door.send(
        issuer.token(
            realm_access={"roles": ["ai-people", "billing", "unheard-of"]},
            scp="keys.read openid gateway.tenants",
        )
    )
    assert principal is not None
    assert principal.roles == {"viewer", "billing"}
    assert {"usage.read", "billing.manage", "keys.read"} <= principal.scopes
    assert not {MAKE_CALLS, "openid", "keys.manage"} & principal.scopes
    nothing = await door.send(issuer.token(sub="bob"))
    assert nothing is not None
    assert not nothing.scopes


async def test_names_of_claims_may_hold_dots(issuer: Provider, serve: Serve):
    door = await serve(claims={"roles": "https://example.com/roles"})
    claims: dict[str, Any] = {"https://example.com/roles": "viewer"}
    principal = await door.send(issuer.token(**claims))
    assert principal is not None
    assert principal.roles == {"viewer"}


async def test_only_the_operators_tenant_rules_the_gateway(issuer: Provider, serve: Serve, context: Context):
    await create_tenant(context.database, "acme", actor=ACTOR)
    door = await serve(claims=BY_TENANT)
    claims: dict[str, Any] = {"roles": ["owner"], "scope": "gateway.audit"}
    ours = await door.send(issuer.token(org={"id": "default"}, **claims))
    theirs = await door.send(issuer.token(org={"id": "acme"}, **claims))
    assert ours is not None
    assert theirs is not None
    assert {"gateway.tenants", "gateway.audit"} <= ours.scopes
    assert "users.manage" in theirs.scopes
    assert not [scope for scope in theirs.scopes if scope.startswith("gateway.")]


async def test_a_tenants_own_roles_count_and_changes_are_seen(
    issuer: Provider, serve: Serve, context: Context
):
    await create_tenant(context.database, "acme", actor=ACTOR)
    await create_role(context.database, "acme", "auditor", permissions=["audit.read"], actor=ACTOR)
    door, token = await serve(claims=BY_TENANT), issuer.token(org={"id": "acme"}, roles=["auditor"])
    first = await door.send(token)
    assert first is not None
    assert first.scopes == {MAKE_CALLS, "audit.read"}
    await change_role(context.database, "acme", "auditor", permissions=["usage.read"], actor=ACTOR)
    await context.changes.look()
    second = await door.send(token)
    assert second is not None
    assert second.scopes == {MAKE_CALLS, "usage.read"}


async def test_tenants_must_exist_be_active_and_be_allowed(issuer: Provider, serve: Serve, context: Context):
    for tenant in ("acme", "beta"):
        await create_tenant(context.database, tenant, actor=ACTOR)
    door = await serve(claims=BY_TENANT, tenants=["acme", "gone"])
    acme = issuer.token(org={"id": "acme"})
    assert await door.send(acme)
    assert "may not speak" in await door.refusal(issuer.token(org={"id": "beta"}))
    assert "unknown" in await door.refusal(issuer.token(org={"id": "gone"}))
    for odd in ("", 7, ["acme"], "a\0b", "x" * 100, {"id": "acme"}):
        assert (await door.refusal(issuer.token(org={"id": odd}))).startswith("403 ")
    assert await door.send(issuer.token(org="acme")), "without the claim, the issuer's own tenant"
    await suspend_tenant(context.database, "acme", operator_tenant="default", actor=ACTOR)
    await context.changes.look()
    assert "suspended" in await door.refusal(acme)


async def test_required_claims(issuer: Provider, serve: Serve):
    door = await serve(required={"groups": "ai", "org.verified": True})
    assert await door.send(issuer.token(groups=["x", "ai"], org={"verified": True}))
    lacking: list[dict[str, Any]] = [
        {},
        {"groups": "ai"},
        {"groups": ["ai"], "org": {"verified": 1}},
        {"groups": ["ai"], "org": {"verified": "true"}},
        {"groups": "not ai", "org": {"verified": True}},
    ]
    for claims in lacking:
        assert "as required" in await door.refusal(issuer.token(**claims))


async def test_a_bearer_needs_a_name_that_the_ledger_can_hold(issuer: Provider, serve: Serve):
    door = await serve(claims={"user": "email"})
    assert await door.send(issuer.token(email="alice@example.com"))
    for user in (None, "", 5, ["alice"], "line\nbreak", "x" * 300):
        assert (await door.refusal(issuer.token(email=user))).startswith("403 "), user


async def test_a_token_ends_when_it_expires_also_when_it_is_known(
    issuer: Provider, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    door, token = await serve(leeway_seconds=0), issuer.token()
    assert await door.send(token)
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    assert "expired" in await door.refusal(token)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"audience": []},
        {"audience": "x", "issuer": "http://login.example.com"},
        {"audience": "x", "issuer": "https://user:pw@login.example.com"},
        {"audience": "x", "issuer": "https://login.example.com/?a=b"},
        {"audience": "x", "issuer": "login.example.com"},
        {"audience": "x", "algorithms": ["HS256"]},
        {"audience": "x", "algorithms": ["none"]},
        {"audience": "x", "algorithms": []},
        {"audience": "x", "leeway_seconds": 3600},
        {"audience": "x", "permissions": ["keys.reed"]},
        {"audience": "x", "permissions": ["gateway.tenants"]},
        {"audience": CLIENT, "client_id": CLIENT},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any]):
    issuer = {"issuer": "https://login.example.com", **settings}
    with pytest.raises(ValidationError):
        Jwt.Config.model_validate({"issuers": {"corp": issuer}})


def test_issuers_are_told_apart():
    good = {"issuer": "https://login.example.com", "audience": AUDIENCE}
    assert Jwt.Config.model_validate({"issuers": {"corp": good}})
    for issuers in ({}, {"Corp!": good}, {"a": good, "b": good}):
        with pytest.raises(ValidationError):
            Jwt.Config.model_validate({"issuers": issuers})
