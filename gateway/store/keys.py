"""API keys: created, listed, revoked and rotated. Only a digest of a key is stored; the key itself is shown once."""

from __future__ import annotations

import hashlib
import secrets
import string
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import func, insert, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.errors import InvalidRequest
from gateway.store.tables import api_keys, revisions, tenants

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

PREFIX = "gw_"
"""Every key begins with it, so that people and secret scanners know one when they see it."""

DIGEST_SCHEME = "sha256"

_REVISION = "api_keys"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_BYTES = 32
_SECRET_LENGTH = 43  # 62 ** 43 > 256 ** 32
_MAX_NAME = 200
_MAX_TENANT = 64


class ApiKey(Struct, frozen=True, kw_only=True):
    """A row of `api_keys`. Times are Unix seconds."""

    id: str
    tenant: str
    name: str
    hint: str
    """The first and last characters, for people."""
    digest: bytes
    models: tuple[str, ...] | None
    """Names (or `prefix*` patterns) that the key may call; None allows all."""
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    revision: int

    def state(self, now: float) -> str:
        """`active`, `expired` or `revoked` at that moment."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active"


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
    models: Sequence[str] | None = None,
    expires_at: float | None = None,
) -> tuple[ApiKey, str]:
    """Create a key, and its tenant when that is new. Return the row and the key, which nothing can show again.

    Raises `InvalidRequest` when the name or the tenant is empty or too long.
    """
    now = time.time()
    _check(name, tenant)
    async with database.begin() as connection:
        revision = await _bump(connection)
        await _ensure_tenant(connection, tenant, now)
        return await _insert(
            connection,
            tenant=tenant,
            name=name,
            models=None if models is None else tuple(models),
            created_at=now,
            expires_at=expires_at,
            revision=revision,
        )


async def ensure_key(database: Database, name: str, *, tenant: str = "default") -> tuple[ApiKey, str | None]:
    """Return the active key of that name and None; or, when there is none, a new row and its key."""
    now = time.time()
    _check(name, tenant)
    async with database.begin() as connection:
        revision = await _bump(connection)  # also keeps two callers from both creating it
        rows = await connection.execute(
            select(api_keys)
            .where(api_keys.c.name == name, api_keys.c.tenant == tenant, api_keys.c.revoked_at.is_(None))
            .order_by(api_keys.c.created_at.desc())
        )
        for row in rows:
            found = _key_of(row)
            if found.state(now) == "active":
                return found, None
        await _ensure_tenant(connection, tenant, now)
        return await _insert(
            connection,
            tenant=tenant,
            name=name,
            models=None,
            created_at=now,
            expires_at=None,
            revision=revision,
        )


async def list_keys(database: Database, *, with_inactive: bool = False) -> list[ApiKey]:
    """All active keys, oldest first; with `with_inactive` also the expired and revoked ones."""
    now = time.time()
    async with database.connect() as connection:
        rows = await connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))
        found = [_key_of(row) for row in rows]
    return [key for key in found if with_inactive or key.state(now) == "active"]


async def find_key(database: Database, reference: str) -> ApiKey:
    """The key with that id, that unique beginning of an id, or that exact name.

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


async def revoke_key(database: Database, key_id: str) -> ApiKey:
    """Revoke a key for good; every worker refuses it within a second. Revoking twice keeps the first time."""
    async with database.begin() as connection:
        revision = await _bump(connection)
        await connection.execute(
            update(api_keys)
            .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=time.time(), revision=revision)
        )
        return await _get(connection, key_id)


async def rotate_key(database: Database, key_id: str, *, overlap_seconds: float = 0) -> tuple[ApiKey, str]:
    """Give a key a new secret under a new id, with the same name, tenant, models and expiry.

    The old one stops after `overlap_seconds`. Raises `InvalidRequest` when it is no longer active.
    """
    now = time.time()
    async with database.begin() as connection:
        revision = await _bump(connection)
        old = await _get(connection, key_id)
        if (state := old.state(now)) != "active":
            raise InvalidRequest(
                f"the API key {old.id} is {state}; create a new one with `gateway keys create`"
            )
        end = now + overlap_seconds
        ended: dict[str, Any] = {"revision": revision}
        if overlap_seconds <= 0:
            ended["revoked_at"] = now
        elif old.expires_at is None or end < old.expires_at:
            ended["expires_at"] = end
        await connection.execute(update(api_keys).where(api_keys.c.id == old.id).values(**ended))
        return await _insert(
            connection,
            tenant=old.tenant,
            name=old.name,
            models=old.models,
            created_at=now,
            expires_at=old.expires_at,
            revision=revision,
        )


async def changes_since(database: Database, revision: int) -> tuple[int, list[ApiKey]]:
    """The present revision, and the keys that changed after the given one (0 gives all keys).

    Cheap when nothing changed: one row is read. A revision lower than the given one means that the table was
    replaced, by a restored backup for example; then start again at 0.
    """
    async with database.connect() as connection:
        current = await connection.scalar(select(revisions.c.value).where(revisions.c.name == _REVISION)) or 0
        if current <= revision:
            return current, []
        rows = await connection.execute(select(api_keys).where(api_keys.c.revision > revision))
        changed = [_key_of(row) for row in rows]
    # A change may have been committed between the two reads. Changes are serialised by the row that holds the
    # revision, so whatever carries the highest revision seen has everything before it.
    return max([current, *(key.revision for key in changed)]), changed


def _check(name: str, tenant: str) -> None:
    for what, value, limit in (("name", name, _MAX_NAME), ("tenant", tenant, _MAX_TENANT)):
        if not value.strip() or len(value) > limit or not value.isprintable():
            raise InvalidRequest(f"the {what} of an API key is 1 to {limit} printable characters", param=what)


async def _bump(connection: AsyncConnection) -> int:
    """Count the revision up. First in each transaction: its row lock puts all changes of keys in one order."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = (
        dialect.insert(revisions)
        .values(name=_REVISION, value=1)
        .on_conflict_do_update(index_elements=[revisions.c.name], set_={"value": revisions.c.value + 1})
        .returning(revisions.c.value)
    )
    return (await connection.execute(statement)).scalar_one()


async def _ensure_tenant(connection: AsyncConnection, tenant: str, now: float) -> None:
    known = await connection.scalar(select(func.count()).select_from(tenants).where(tenants.c.id == tenant))
    if not known:
        await connection.execute(insert(tenants).values(id=tenant, name=tenant, created_at=now))


async def _insert(
    connection: AsyncConnection,
    *,
    tenant: str,
    name: str,
    models: tuple[str, ...] | None,
    created_at: float,
    expires_at: float | None,
    revision: int,
) -> tuple[ApiKey, str]:
    key = PREFIX + _base62(secrets.randbits(8 * _SECRET_BYTES), _SECRET_LENGTH)
    row = ApiKey(
        id="key_" + _base62(secrets.randbits(80), 14),
        tenant=tenant,
        name=name,
        hint=hint_of(key),
        digest=digest_of(key.encode()),
        models=models,
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=None,
        revision=revision,
    )
    await connection.execute(
        insert(api_keys).values(
            id=row.id,
            tenant=tenant,
            name=name,
            hint=row.hint,
            digest=row.digest,
            digest_scheme=DIGEST_SCHEME,
            models=null() if models is None else list(models),
            created_at=created_at,
            expires_at=expires_at,
            revision=revision,
        )
    )
    return row, key


async def _get(connection: AsyncConnection, key_id: str) -> ApiKey:
    row = (await connection.execute(select(api_keys).where(api_keys.c.id == key_id))).one_or_none()
    if row is None:
        raise InvalidRequest(f"no API key has the id {key_id!r}; see `gateway keys list --all`")
    return _key_of(row)


def _key_of(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        hint=row.hint,
        digest=bytes(row.digest),
        models=None if row.models is None else tuple(row.models),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        revision=row.revision,
    )


def _base62(number: int, length: int) -> str:
    characters: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        characters.append(_ALPHABET[digit])
    return "".join(characters)
