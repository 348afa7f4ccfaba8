"""API keys: created, changed, revoked and rotated. Only a digest of a key is stored; the key itself is shown once.

Functions that take a tenant touch that tenant's keys alone; the others are the operator's.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

from msgspec import structs
from sqlalchemy import insert, or_, select, tuple_, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.checks import check_name
from gateway.store.key_owners import Owner, owner_of
from gateway.store.key_rows import NOTHING, ApiKey, KeySettings, settings_of, shown, stored
from gateway.store.random_ids import new_id, new_secret
from gateway.store.searching import contains
from gateway.store.structs import many, one
from gateway.store.tables import api_keys, tenants
from gateway.store.tenants import MAX_ID as MAX_TENANT
from gateway.store.tenants import REVISION as TENANTS
from gateway.store.tenants import ensure_tenant

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

PREFIX = "gw_"
"""Every key begins with it, so that people and secret scanners know one when they see it."""

DIGEST_SCHEME = "sha256"
REVISION = "api_keys"


def digest_of(key: bytes) -> bytes:
    """The 32 bytes under which a key is stored. A key holds 256 random bits, so it needs no salt and no slow hash."""
    return hashlib.sha256(key).digest()


def hint_of(key: str) -> str:
    """A key as people may see it: `gw_ab…wxyz`."""
    return f"{key[:5]}…{key[-4:]}"


async def create_key(
    database: Database,
    name: str,
    *,
    tenant: str = "default",
    settings: KeySettings = NOTHING,
    owner: str | None = None,
    actor: Actor,
) -> tuple[ApiKey, str]:
    """Create a key, and its tenant when that is new. Return the row and the key, which nothing can show again.

    Raises `InvalidRequest` for settings that cannot be, and an owner whom the tenant does not have.
    """
    check_name("tenant of an API key", tenant, MAX_TENANT, param="tenant")
    settings = structs.replace(settings, name=name)
    stored(settings)
    async with database.begin() as connection:
        revision = await _begin(connection, tenant)
        if owner is not None and await owner_of(connection, tenant, owner) is None:
            raise InvalidRequest(
                f"The tenant {tenant!r} has no member and no service account {owner!r}.", param="owner"
            )
        row, key = await _insert(connection, tenant, settings, owner=owner, revision=revision)
        after = {"owner": owner, **shown(settings)}
        await record(connection, actor, "key.create", row.id, tenant=tenant, after=after)
    return row, key


async def ensure_key(
    database: Database, name: str, *, tenant: str = "default", actor: Actor
) -> tuple[ApiKey, str | None]:
    """Return the active key of that name and None; or, when there is none, a new row and its key."""
    check_name("tenant of an API key", tenant, MAX_TENANT, param="tenant")
    settings = KeySettings(name=name)
    stored(settings)
    now = time.time()
    async with database.begin() as connection:
        revision = await _begin(connection, tenant)  # also keeps two callers from both creating it
        query = select(api_keys).where(
            api_keys.c.name == name, api_keys.c.tenant == tenant, api_keys.c.revoked_at.is_(None)
        )
        for found in await many(connection, query.order_by(api_keys.c.created_at.desc()), ApiKey):
            if found.state(now) == "active":
                return found, None
        row, key = await _insert(connection, tenant, settings, owner=None, revision=revision)
        await record(connection, actor, "key.create", row.id, tenant=tenant, after=shown(settings))
    return row, key


async def list_keys(database: Database, *, with_inactive: bool = False) -> list[ApiKey]:
    """All active keys of all tenants, oldest first; with `with_inactive` also the expired and revoked ones."""
    now = time.time()
    async with database.connect() as connection:
        query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
        found = await many(connection, query, ApiKey)
    return [key for key in found if with_inactive or key.state(now) == "active"]


async def tenant_keys(
    database: Database,
    tenant: str,
    *,
    owner: str | None = None,
    with_inactive: bool = False,
    after: tuple[float, str] | None = None,
    limit: int | None = None,
    search: str | None = None,
) -> list[ApiKey]:
    """Keys of a tenant, or of one owner in it, oldest first; `after` is (`created_at`, `id`) of the page before's last.

    With `search` those alone in whose id, name, hint or owner's id it is.
    """
    query = select(api_keys).where(api_keys.c.tenant == tenant)
    if search is not None:
        query = query.where(
            contains(search, api_keys.c.id, api_keys.c.name, api_keys.c.hint, api_keys.c.owner)
        )
    if owner is not None:
        query = query.where(api_keys.c.owner == owner)
    if not with_inactive:
        ends = api_keys.c.expires_at
        query = query.where(api_keys.c.revoked_at.is_(None), or_(ends.is_(None), ends > time.time()))
    if after is not None:
        query = query.where(tuple_(api_keys.c.created_at, api_keys.c.id) > after)
    async with database.connect() as connection:
        ordered = query.order_by(api_keys.c.created_at, api_keys.c.id).limit(limit)
        return await many(connection, ordered, ApiKey)


async def find_key(database: Database, reference: str) -> ApiKey:
    """The key with that id, that unique beginning of an id, or that exact name, in any tenant.

    Of several keys of one name the active one is meant. Raises `InvalidRequest` when none fits, or more than one.
    """
    now = time.time()
    keys = await list_keys(database, with_inactive=True)
    for key in keys:
        if key.id == reference:
            return key
    matches = [key for key in keys if key.name == reference]
    matches = [key for key in matches if key.state(now) == "active"] or matches
    if not matches and reference:
        matches = [key for key in keys if key.id.startswith(reference)]
    if not matches:
        raise InvalidRequest(
            f"no API key has the id or the name {reference!r}; see `gateway keys list --all`"
        )
    if len(matches) > 1:
        raise InvalidRequest(
            f"{reference!r} fits {len(matches)} API keys ({', '.join(key.id for key in matches[:5])}); give a full id"
        )
    return matches[0]


async def get_key(database: Database, tenant: str, key_id: str, *, owner: str | None = None) -> ApiKey | None:
    """The tenant's key with that id, active or not, and of that owner when one is given; None when there is none."""
    async with database.connect() as connection:
        return await one(connection, _the(tenant, key_id, owner), ApiKey)


async def get_standing(database: Database, tenant: str, key_id: str) -> tuple[ApiKey, Owner | None] | None:
    """The tenant's key with that id, and its owner while the tenant has it."""
    async with database.connect() as connection:
        key = await one(connection, _the(tenant, key_id, None), ApiKey)
        return None if key is None else (key, await owner_of(connection, tenant, key.owner))


async def change_key(
    database: Database,
    tenant: str,
    key_id: str,
    settings: KeySettings,
    *,
    owner: str | None = None,
    actor: Actor,
    expected: Expected = None,
) -> ApiKey:
    """Change what `settings` holds; every worker knows within a second.

    Raises `InvalidRequest`: 404, 409 for a revoked key, 412 when its revision is none of `expected`.
    """
    values = stored(settings)
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _get(connection, tenant, key_id, owner, expected)
        if before.revoked_at is not None:
            raise InvalidRequest(f"The API key {key_id} is revoked.", status=409, code="conflict")
        await connection.execute(
            update(api_keys).where(api_keys.c.id == key_id).values(**values, revision=revision)
        )
        after = await _get(connection, tenant, key_id)
        was, now = (
            {name: value for name, value in shown(settings_of(key)).items() if name in values}
            for key in (before, after)
        )
        await record(connection, actor, "key.change", key_id, tenant=tenant, before=was, after=now)
    return after


async def revoke_key(
    database: Database,
    tenant: str,
    key_id: str,
    *,
    owner: str | None = None,
    actor: Actor,
    expected: Expected = None,
) -> ApiKey:
    """Revoke a key for good; every worker refuses it within a second. Revoking twice keeps the first time."""
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _get(connection, tenant, key_id, owner, expected)
        if before.revoked_at is not None:
            return before
        await connection.execute(
            update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=time.time(), revision=revision)
        )
        await record(connection, actor, "key.revoke", key_id, tenant=tenant, before={"name": before.name})
        return await _get(connection, tenant, key_id)


async def rotate_key(
    database: Database,
    tenant: str,
    key_id: str,
    *,
    overlap_seconds: float = 0,
    owner: str | None = None,
    actor: Actor,
    expected: Expected = None,
) -> tuple[ApiKey, str]:
    """Give a key a new secret under a new id; everything else stays: name, owner, rights, limits, expiry.

    The old one stops after `overlap_seconds`. Raises `InvalidRequest` when it is no longer active (409), 404, 412.
    """
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        old = await _get(connection, tenant, key_id, owner, expected)
        if (state := old.state(now)) != "active":
            raise InvalidRequest(
                f"the API key {old.id} is {state}; create a new one with `gateway keys create`",
                status=409,
                code="conflict",
            )
        end = now + overlap_seconds
        ended: dict[str, Any] = {"revision": revision}
        if overlap_seconds <= 0:
            ended["revoked_at"] = now
        elif old.expires_at is None or end < old.expires_at:
            ended["expires_at"] = end
        await connection.execute(update(api_keys).where(api_keys.c.id == old.id).values(**ended))
        row, key = await _insert(
            connection, tenant, settings_of(old), owner=old.owner, revision=revision, now=now
        )
        after = {"id": row.id, "overlap_seconds": overlap_seconds}
        await record(connection, actor, "key.rotate", old.id, tenant=tenant, after=after)
    return row, key


async def _begin(connection: AsyncConnection, tenant: str) -> int:
    """Bump the revision, and make sure of the tenant: of the two, tenants always come first."""
    known = select(tenants.c.id).where(tenants.c.id == tenant)
    if (await connection.execute(known)).one_or_none() is None:
        await ensure_tenant(connection, tenant, revision=await bump(connection, TENANTS))
    return await bump(connection, REVISION)


async def _insert(
    connection: AsyncConnection,
    tenant: str,
    settings: KeySettings,
    *,
    owner: str | None,
    revision: int,
    now: float | None = None,
) -> tuple[ApiKey, str]:
    key = new_secret(PREFIX)
    key_id = new_id("key_")
    await connection.execute(
        insert(api_keys).values(
            **stored(settings),
            id=key_id,
            tenant=tenant,
            owner=owner,
            hint=hint_of(key),
            digest=digest_of(key.encode()),
            digest_scheme=DIGEST_SCHEME,
            created_at=now or time.time(),
            revision=revision,
        )
    )
    return await _get(connection, tenant, key_id), key


def _the(tenant: str, key_id: str, owner: str | None) -> Any:
    query = select(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.id == key_id)
    return query if owner is None else query.where(api_keys.c.owner == owner)


async def _get(
    connection: AsyncConnection,
    tenant: str,
    key_id: str,
    owner: str | None = None,
    expected: Expected = None,
) -> ApiKey:
    found = await one(connection, _the(tenant, key_id, owner), ApiKey)
    if found is None:
        raise InvalidRequest(f"There is no API key {key_id!r}.", status=404, code="not_found")
    check_expected(expected, found.revision)
    return found
