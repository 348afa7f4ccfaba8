"""To whom API keys belong, and how these stand at present: a key can do no more than its owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec import Struct
from sqlalchemy import and_, select

from gateway.store.identity_tables import memberships, roles, service_accounts, users
from gateway.store.structs import many
from gateway.store.tables import api_keys

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

REVISIONS: Final = ("memberships", "roles", "service_accounts", "users")
"""The tables whose changes may change what an owner may do."""


class Owner(Struct, frozen=True, kw_only=True):
    """A user or a service account, as one tenant sees it."""

    tenant: str
    id: str
    role: str
    permissions: frozenset[str] | None
    """Of the role, when it is one of the tenant's own."""
    disabled_at: float | None


Owners: TypeAlias = Mapping[tuple[str, str], Owner]
"""By tenant and id."""


async def owners_of_keys(connection: AsyncConnection) -> Owners:
    """All owners of keys that are not revoked. Whoever is not among them is no longer of the tenant."""
    owned = select(api_keys.c.tenant, api_keys.c.owner).where(
        api_keys.c.owner.is_not(None), api_keys.c.revoked_at.is_(None)
    )
    keys = owned.distinct().subquery()
    found: dict[tuple[str, str], Owner] = {}
    for query, tenant, column in _QUERIES:
        narrowed = query.join(keys, and_(keys.c.tenant == tenant, keys.c.owner == column))
        found |= {(owner.tenant, owner.id): owner for owner in await many(connection, narrowed, Owner)}
    return found


async def owner_of(connection: AsyncConnection, tenant: str, id: str | None) -> Owner | None:
    """The user or service account of that id, when the tenant has it."""
    if id is None:
        return None
    for query, of, column in _QUERIES:
        found = await many(connection, query.where(of == tenant, column == id), Owner)
        if found:
            return found[0]
    return None


def _query(tenant: Any, id: Any, role: Any, disabled_at: Any, source: Any) -> Any:
    custom = and_(roles.c.tenant == tenant, roles.c.name == role)
    return select(
        tenant.label("tenant"),
        id.label("id"),
        role.label("role"),
        disabled_at.label("disabled_at"),
        roles.c.permissions,
    ).select_from(source.outerjoin(roles, custom))


_QUERIES: Final = (
    (
        _query(
            memberships.c.tenant,
            memberships.c.user,
            memberships.c.role,
            users.c.disabled_at,
            memberships.join(users, users.c.id == memberships.c.user),
        ),
        memberships.c.tenant,
        memberships.c.user,
    ),
    (
        _query(
            service_accounts.c.tenant,
            service_accounts.c.id,
            service_accounts.c.role,
            service_accounts.c.disabled_at,
            service_accounts,
        ),
        service_accounts.c.tenant,
        service_accounts.c.id,
    ),
)
