"""Who asks the admin API, in whose name, and whether they may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import select

from gateway.admin.endpoint import SIGNED_IN, Endpoint
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.identity.permissions import permissions_of
from gateway.store.audit import Actor
from gateway.store.memberships import roles_of
from gateway.store.roles import custom_role
from gateway.store.tables import tenants
from gateway.types import Principal

if TYPE_CHECKING:
    from gateway.api.incoming import HttpIncoming
    from gateway.identity.tenants import Tenants
    from gateway.store import Database

ANY_TENANT = "gateway.tenants"
"""The permission to act in the name of every tenant."""


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks, and in whose name."""

    principal: Principal
    """With the permissions that it has there."""
    tenant: str


def within_rights(principal: Principal, operator_tenant: str) -> Principal:
    """Take away what only the operator's people may hold, wherever it came from."""
    if principal.tenant == operator_tenant:
        return principal
    scopes = frozenset(scope for scope in principal.scopes if not scope.startswith("gateway."))
    return principal if scopes == principal.scopes else replace(principal, scopes=scopes)


def named_tenant(incoming: HttpIncoming, query: str | None) -> str | None:
    """The tenant that a request names by `?tenant=` or the header `X-Tenant`; None when it names none."""
    header = incoming.headers.get(b"x-tenant")
    named = header.decode("latin-1") if header is not None else query
    if query is not None and named != query:
        raise InvalidRequest("'?tenant=' and the header X-Tenant name different tenants.", param="tenant")
    return named


async def acting_for(
    principal: Principal, named: str | None, database: Database, operator_tenant: str
) -> Caller:
    """Let a principal act for the tenant that it names: operators for any, people for those they are members of.

    Raises `PermissionDenied` for another's, `InvalidRequest` (404) when an operator names one that there is not.
    """
    if named is None or named == principal.tenant:
        return Caller(principal=principal, tenant=principal.tenant)
    if "\0" in named:
        raise InvalidRequest("There is no such tenant.", status=404, param="tenant", code="not_found")
    async with database.connect() as connection:
        if principal.may(ANY_TENANT):
            if await connection.scalar(select(tenants.c.id).where(tenants.c.id == named)) is None:
                told = f"There is no tenant {named!r}."
                raise InvalidRequest(told, status=404, param="tenant", code="not_found")
            return Caller(principal=principal, tenant=named)
        role = None
        if principal.session is not None and principal.user is not None:
            role = (await roles_of(connection, principal.user)).get(named)
        if role is None:
            raise PermissionDenied(
                f"You act for the tenant '{principal.tenant}', and are no member of another of that name."
            )
        custom = await custom_role(connection, named, role)
    scopes = permissions_of(
        role, operator=named == operator_tenant, custom=None if custom is None else custom.permissions
    )
    there = replace(principal, tenant=named, roles=frozenset({role}), scopes=scopes)
    return Caller(principal=there, tenant=named)


def authorise(endpoint: Endpoint, principal: Principal, tenants: Tenants) -> None:
    """Raise `PermissionDenied` unless the principal has a permission that the endpoint takes.

    A suspended tenant's people see everything and change nothing; an erased one has none.
    """
    policy = tenants.policies.get(principal.tenant)
    if policy is not None and (policy.state == "erased" or endpoint.method != "GET"):
        policy.admit(principal)
    if any(wanted == SIGNED_IN or principal.may(wanted) for wanted in endpoint.permissions):
        return
    wanted = "' or '".join(endpoint.permissions)
    raise PermissionDenied(
        f"This needs the permission '{wanted}' in the tenant '{principal.tenant}'. Ask an owner or admin for it."
    )


def actor_of(principal: Principal, incoming: HttpIncoming, request_id: str) -> Actor:
    """The principal as the audit log names it."""
    if principal.key is not None:
        return Actor(kind="key", id=principal.key, request_id=request_id, address=incoming.client)
    kind = "component" if principal.authenticator == "component" else "user"
    return Actor(
        kind=kind,
        id=principal.user or principal.authenticator,
        request_id=request_id,
        address=incoming.client,
    )
