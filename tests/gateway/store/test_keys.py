"""API keys in the database: what is stored, what is shown, what a change tells those who watch."""

import asyncio
import hashlib
import time

import pytest
from sqlalchemy import select

from gateway.errors import InvalidRequest
from gateway.store import Database
from gateway.store.keys import (
    changes_since,
    create_key,
    ensure_key,
    find_key,
    list_keys,
    revoke_key,
    rotate_key,
)
from gateway.store.tables import api_keys, tenants


async def test_only_a_digest_is_stored(database: Database):
    row, key = await create_key(database, "laptop")
    assert key.startswith("gw_")
    assert len(key) == 46
    assert key[3:].isalnum()
    async with database.connect() as connection:
        stored = (await connection.execute(select(api_keys))).one()
    assert stored.digest == hashlib.sha256(key.encode()).digest()
    assert stored.digest_scheme == "sha256"
    assert stored.hint == row.hint == f"{key[:5]}…{key[-4:]}"
    assert key not in repr(tuple(stored))


async def test_a_tenant_is_created_on_first_use(database: Database):
    await create_key(database, "a", tenant="acme")
    await create_key(database, "b", tenant="acme")
    async with database.connect() as connection:
        rows = (await connection.execute(select(tenants.c.id))).scalars().all()
    assert rows == ["acme"]


async def test_a_key_keeps_what_it_was_given(database: Database):
    expires_at = time.time() + 60
    row, _ = await create_key(
        database, "ci", tenant="acme", models=["gpt-5", "openai/*"], expires_at=expires_at
    )
    found = await find_key(database, row.id)
    assert found == row
    assert found.models == ("gpt-5", "openai/*")
    assert found.expires_at == expires_at
    assert found.state(time.time()) == "active"
    assert found.state(expires_at) == "expired"


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "two\nlines"])
async def test_a_name_is_short_and_printable(database: Database, name: str):
    with pytest.raises(InvalidRequest, match="name"):
        await create_key(database, name)
    with pytest.raises(InvalidRequest, match="tenant"):
        await create_key(database, "ok", tenant=name)


async def test_only_active_keys_are_listed(database: Database):
    first, _ = await create_key(database, "first")
    second, _ = await create_key(database, "second")
    expired, _ = await create_key(database, "expired", expires_at=1.0)
    await revoke_key(database, first.id)
    assert [key.id for key in await list_keys(database)] == [second.id]
    every = await list_keys(database, with_inactive=True)
    assert [key.id for key in every] == [first.id, second.id, expired.id]
    assert [key.state(time.time()) for key in every] == ["revoked", "active", "expired"]


async def test_revoking_twice_keeps_the_first_time(database: Database):
    row, _ = await create_key(database, "a")
    first = await revoke_key(database, row.id)
    second = await revoke_key(database, row.id)
    assert first.revoked_at == second.revoked_at
    assert second.state(time.time()) == "revoked"


async def test_a_key_is_found_by_id_beginning_or_name(database: Database):
    row, _ = await create_key(database, "laptop")
    other, _ = await create_key(database, "server")
    assert (await find_key(database, row.id)).id == row.id
    assert (await find_key(database, row.id[:10])).id == row.id
    assert (await find_key(database, "server")).id == other.id
    with pytest.raises(InvalidRequest, match="fits 2 API keys"):
        await find_key(database, "key_")
    for unknown in ("", "nothing"):
        with pytest.raises(InvalidRequest, match="no API key"):
            await find_key(database, unknown)


async def test_of_keys_with_one_name_the_active_one_is_meant(database: Database):
    old, _ = await create_key(database, "laptop")
    await revoke_key(database, old.id)
    new, _ = await create_key(database, "laptop")
    assert (await find_key(database, "laptop")).id == new.id
    await create_key(database, "laptop")
    with pytest.raises(InvalidRequest, match="fits 2"):
        await find_key(database, "laptop")


async def test_rotation_replaces_the_secret(database: Database):
    old, old_key = await create_key(database, "ci", tenant="acme", models=["m"])
    new, new_key = await rotate_key(database, old.id)
    assert new_key != old_key
    assert new.id != old.id
    assert (new.name, new.tenant, new.models) == ("ci", "acme", ("m",))
    assert (await find_key(database, old.id)).state(time.time()) == "revoked"


async def test_rotation_lets_the_old_key_live_through_the_overlap(database: Database):
    old, _ = await create_key(database, "ci")
    before = time.time()
    await rotate_key(database, old.id, overlap_seconds=600)
    ends = (await find_key(database, old.id)).expires_at
    assert ends is not None
    assert before + 600 <= ends <= time.time() + 600


async def test_an_overlap_never_lengthens_a_key_s_life(database: Database):
    expires_at = time.time() + 60
    old, _ = await create_key(database, "ci", expires_at=expires_at)
    new, _ = await rotate_key(database, old.id, overlap_seconds=600)
    assert (await find_key(database, old.id)).expires_at == expires_at
    assert new.expires_at == expires_at


async def test_a_revoked_key_cannot_be_rotated(database: Database):
    row, _ = await create_key(database, "ci")
    await revoke_key(database, row.id)
    with pytest.raises(InvalidRequest, match="is revoked"):
        await rotate_key(database, row.id)
    assert len(await list_keys(database, with_inactive=True)) == 1


async def test_an_unknown_id_is_refused(database: Database):
    with pytest.raises(InvalidRequest, match="no API key"):
        await revoke_key(database, "key_x")
    with pytest.raises(InvalidRequest, match="no API key"):
        await rotate_key(database, "key_x")


async def test_ensure_creates_once(database: Database):
    row, key = await ensure_key(database, "quickstart")
    assert key is not None
    assert await ensure_key(database, "quickstart") == (row, None)
    await revoke_key(database, row.id)
    again, key = await ensure_key(database, "quickstart")
    assert key is not None
    assert again.id != row.id


async def test_ensure_creates_once_under_concurrency(database: Database):
    results = await asyncio.gather(*(ensure_key(database, "quickstart") for _ in range(8)))
    assert len({row.id for row, _ in results}) == 1
    assert sum(key is not None for _, key in results) == 1


async def test_every_change_is_told_to_those_who_watch(database: Database):
    assert await changes_since(database, 0) == (0, [])
    first, _ = await create_key(database, "first")
    revision, changed = await changes_since(database, 0)
    assert changed == [first]
    assert await changes_since(database, revision) == (revision, [])

    second, _ = await create_key(database, "second")
    revoked = await revoke_key(database, first.id)
    later, changed = await changes_since(database, revision)
    assert later > revision
    assert sorted(key.id for key in changed) == sorted([first.id, second.id])
    assert revoked in changed

    new, _ = await rotate_key(database, second.id)
    _, changed = await changes_since(database, later)
    assert sorted(key.id for key in changed) == sorted([second.id, new.id])


async def test_no_change_is_missed_while_others_write(database: Database):
    async def write():
        for number in range(10):
            row, _ = await create_key(database, f"key {number}")
            await revoke_key(database, row.id)

    writers = asyncio.gather(write(), write())
    seen: dict[str, float | None] = {}
    revision = 0
    while not writers.done():
        revision, changed = await changes_since(database, revision)
        seen.update({key.id: key.revoked_at for key in changed})
    _, changed = await changes_since(database, revision)
    seen.update({key.id: key.revoked_at for key in changed})
    assert seen == {key.id: key.revoked_at for key in await list_keys(database, with_inactive=True)}
    assert len(seen) == 20


async def test_an_older_revision_tells_of_a_replaced_table(database: Database):
    await create_key(database, "a")
    assert await changes_since(database, 99) == (1, [])
