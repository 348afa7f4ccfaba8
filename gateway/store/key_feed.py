"""What those follow who hold API keys in memory; and what they tell in return: when keys were used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct, structs
from sqlalchemy import Float, bindparam, or_, select, update

from gateway.store.key_owners import REVISIONS as OWNERS
from gateway.store.key_owners import Owners, owners_of_keys
from gateway.store.key_rows import ApiKey
from gateway.store.keys import REVISION
from gateway.store.structs import many
from gateway.store.tables import api_keys, revisions

if TYPE_CHECKING:
    from gateway.store.database import Database

USED_SECONDS: Final = 60.0
"""So exact is `last_used_at`."""


FOLLOWED: Final = (REVISION, *OWNERS)
"""The revisions that go up when `changes_since` would say something new."""


class Seen(Struct, frozen=True, kw_only=True):
    """Up to where a reader has followed keys, and what decides how their owners stand."""

    keys: int = 0
    owners: tuple[int, ...] = ()


class KeyChanges(Struct, frozen=True, kw_only=True):
    """What a reader has not seen yet."""

    seen: Seen
    keys: Sequence[ApiKey] = ()
    owners: Owners | None = None
    """All of them, when something about them may have changed."""


async def note_used(database: Database, used: Mapping[str, float]) -> None:
    """Write when keys were last used, by id: at most once a minute for each, however many workers say so."""
    at = bindparam("at", type_=Float)
    before = api_keys.c.last_used_at
    statement = (
        update(api_keys)
        .where(api_keys.c.id == bindparam("key"), or_(before.is_(None), before < at - USED_SECONDS))
        .values(last_used_at=at)
    )
    async with database.begin() as connection:
        # Sorted, so that two workers never wait for each other's rows.
        await connection.execute(statement, [{"key": key, "at": used[key]} for key in sorted(used)])


async def changes_since(database: Database, seen: Seen) -> KeyChanges:
    """The keys that changed since, and all owners when these may have changed; after `Seen()` everything.

    Cheap when nothing changed: a few rows of one small table are read. A lower revision than the one seen means that
    the table was replaced, by a restored backup for example; then start again with `Seen()`.
    """
    async with database.connect() as connection:
        query = select(revisions.c.name, revisions.c.value).where(revisions.c.name.in_(FOLLOWED))
        found = {row.name: row.value for row in await connection.execute(query)}
        present = Seen(keys=found.get(REVISION, 0), owners=tuple(found.get(name, 0) for name in OWNERS))
        if present == seen or present.keys < seen.keys:
            return KeyChanges(seen=present)
        query = select(api_keys).where(api_keys.c.revision > seen.keys)
        keys = await many(connection, query, ApiKey) if present.keys > seen.keys else []
        owners = await owners_of_keys(connection)
    # A change may have been committed between the reads. Changes are serialised by the row that holds the revision,
    # so whatever carries the highest revision seen has everything before it.
    highest = max([present.keys, *(key.revision for key in keys)])
    return KeyChanges(seen=structs.replace(present, keys=highest), keys=keys, owners=owners)
