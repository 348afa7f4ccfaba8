"""API keys in the database: what is stored, what is shown, what a change tells those who watch."""

import asyncio
import hashlib
import time
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from gateway.errors import InvalidRequest
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.changes import bump
from gateway.store.identity_tables import audit_log, service_accounts
from gateway.store.key_feed import Seen, changes_since, note_used
from gateway.store.key_rows import NOTHING, ApiKey, Budget, KeySettings
from gateway.store.keys import (
    change_key,
    create_key,
    ensure_key,
    find_key,
    get_key,
    list_keys,
    revoke_key,
    rotate_key,
    tenant_keys,
)
from gateway.store.service_accounts import create_service_account
from gateway.store.tables import api_keys, tenants
from gateway.types import CallLimits

ANN = Actor(kind="user", id="usr_ann")
EVERYTHING = KeySettings(
    scopes=("calls.make", "usage.read"),
    models=("gpt-5", "openai/*"),
    endpoints=("/v1/chat/*",),
    networks=("10.0.0.0/8", "2001:db8::1/128"),
    limits=CallLimits(requests_per_minute=60, concurrent=2),
    budget=Budget(amount=Decimal("12.50"), currency="EUR", period="week"),
)


async def make(
    database: Database, name: str, *, tenant: str = "default", settings: KeySettings = NOTHING
) -> tuple[ApiKey, str]:
    return await create_key(database, name, tenant=tenant, settings=settings, actor=ANN)


async def revoke(database: Database, key: ApiKey) -> ApiKey:
    return await revoke_key(database, key.tenant, key.id, actor=ANN)


async def rotate(database: Database, key: ApiKey, *, overlap_seconds: float = 0) -> tuple[ApiKey, str]:
    return await rotate_key(database, key.tenant, key.id, overlap_seconds=overlap_seconds, actor=ANN)


async def test_only_a_digest_is_stored(database: Database):
    row, key = await make(database, "laptop")
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
    await make(database, "a", tenant="acme")
    await make(database, "b", tenant="acme")
    async with database.connect() as connection:
        rows = (await connection.execute(select(tenants.c.id))).scalars().all()
    assert rows == ["acme"]


async def test_a_key_keeps_what_it_was_given(database: Database):
    expires_at = time.time() + 60
    settings = KeySettings(models=("gpt-5", "openai/*"), expires_at=expires_at)
    row, _ = await make(database, "ci", tenant="acme", settings=settings)
    found = await find_key(database, row.id)
    assert found == row
    assert found.models == ("gpt-5", "openai/*")
    assert found.expires_at == expires_at
    assert found.state(time.time()) == "active"
    assert found.state(expires_at) == "expired"


async def test_a_name_is_short_and_printable(database: Database):
    for name in ("", "  ", "x" * 201, "two\nlines"):
        with pytest.raises(InvalidRequest, match="name"):
            await make(database, name)
        with pytest.raises(InvalidRequest, match="tenant"):
            await make(database, "ok", tenant=name)


async def test_only_active_keys_are_listed(database: Database):
    first, _ = await make(database, "first")
    second, _ = await make(database, "second")
    expired, _ = await make(database, "expired", settings=KeySettings(expires_at=1.0))
    await revoke(database, first)
    assert [key.id for key in await list_keys(database)] == [second.id]
    every = await list_keys(database, with_inactive=True)
    assert [key.id for key in every] == [first.id, second.id, expired.id]
    assert [key.state(time.time()) for key in every] == ["revoked", "active", "expired"]


async def test_revoking_twice_keeps_the_first_time(database: Database):
    row, _ = await make(database, "a")
    first = await revoke(database, row)
    second = await revoke(database, row)
    assert first.revoked_at == second.revoked_at
    assert second.state(time.time()) == "revoked"


async def test_a_key_is_found_by_id_beginning_or_name(database: Database):
    row, _ = await make(database, "laptop")
    other, _ = await make(database, "server")
    assert (await find_key(database, row.id)).id == row.id
    assert (await find_key(database, row.id[:10])).id == row.id
    assert (await find_key(database, "server")).id == other.id
    with pytest.raises(InvalidRequest, match="fits 2 API keys"):
        await find_key(database, "key_")
    for unknown in ("", "nothing"):
        with pytest.raises(InvalidRequest, match="no API key"):
            await find_key(database, unknown)


async def test_of_keys_with_one_name_the_active_one_is_meant(database: Database):
    old, _ = await make(database, "laptop")
    await revoke(database, old)
    new, _ = await make(database, "laptop")
    assert (await find_key(database, "laptop")).id == new.id
    await make(database, "laptop")
    with pytest.raises(InvalidRequest, match="fits 2"):
        await find_key(database, "laptop")


async def test_rotation_replaces_the_secret(database: Database):
    old, old_key = await make(database, "ci", tenant="acme", settings=KeySettings(models=("m",)))
    new, new_key = await rotate(database, old)
    assert new_key != old_key
    assert new.id != old.id
    assert (new.name, new.tenant, new.models) == ("ci", "acme", ("m",))
    assert (await find_key(database, old.id)).state(time.time()) == "revoked"


async def test_rotation_lets_the_old_key_live_through_the_overlap(database: Database):
    old, _ = await make(database, "ci")
    before = time.time()
    await rotate(database, old, overlap_seconds=600)
    ends = (await find_key(database, old.id)).expires_at
    assert ends is not None
    assert before + 600 <= ends <= time.time() + 600


async def test_an_overlap_never_lengthens_a_key_s_life(database: Database):
    expires_at = time.time() + 60
    old, _ = await make(database, "ci", settings=KeySettings(expires_at=expires_at))
    new, _ = await rotate(database, old, overlap_seconds=600)
    assert (await find_key(database, old.id)).expires_at == expires_at
    assert new.expires_at == expires_at


async def test_a_revoked_key_cannot_be_rotated(database: Database):
    row, _ = await make(database, "ci")
    await revoke(database, row)
    with pytest.raises(InvalidRequest, match="is revoked"):
        await rotate(database, row)
    assert len(await list_keys(database, with_inactive=True)) == 1


async def test_of_another_tenant_or_owner_there_is_no_key(database: Database):
    account = await create_service_account(database, "acme", "ci", "member", actor=ANN)
    mine, _ = await create_key(database, "mine", tenant="acme", owner=account.id, actor=ANN)
    for tenant, owner in (("other", None), ("acme", "usr_other"), ("other", account.id)):
        assert await get_key(database, tenant, mine.id, owner=owner) is None
        assert await tenant_keys(database, tenant, owner=owner) == []
        for attempt in (
            revoke_key(database, tenant, mine.id, owner=owner, actor=ANN),
            rotate_key(database, tenant, mine.id, owner=owner, actor=ANN),
            change_key(database, tenant, mine.id, KeySettings(name="x"), owner=owner, actor=ANN),
        ):
            with pytest.raises(InvalidRequest, match="There is no API key") as refused:
                await attempt
            assert refused.value.status == 404
    assert await get_key(database, "acme", mine.id, owner=account.id) == mine
    assert await tenant_keys(database, "acme", owner=account.id) == [mine]
    with pytest.raises(InvalidRequest, match="no member and no service account"):
        await create_key(database, "theirs", tenant="other", owner=account.id, actor=ANN)


async def test_rotation_keeps_everything(database: Database):
    account = await create_service_account(database, "acme", "ci", "member", actor=ANN)
    old, _ = await create_key(database, "ci", tenant="acme", settings=EVERYTHING, owner=account.id, actor=ANN)
    await note_used(database, {old.id: time.time()})
    new, _ = await rotate(database, old, overlap_seconds=60)
    same = [name for name in ApiKey.__struct_fields__ if getattr(new, name) == getattr(old, name)]
    changed = {"id", "hint", "digest", "created_at", "revision"}
    assert set(ApiKey.__struct_fields__) - set(same) == changed
    assert new.last_used_at is None


async def test_a_change_touches_what_it_names(database: Database):
    row, _ = await make(database, "ci", settings=EVERYTHING)
    changed = await change_key(
        database,
        "default",
        row.id,
        KeySettings(name="build", models=None, networks=("::ffff:10.1.0.0/112",)),
        actor=ANN,
    )
    assert (changed.name, changed.models, changed.networks) == ("build", None, ("10.1.0.0/16",))
    assert (changed.scopes, changed.limits, changed.budget) == (row.scopes, row.limits, row.budget)
    assert changed.revision > row.revision
    assert await get_key(database, "default", row.id) == changed
    with pytest.raises(InvalidRequest) as refused:
        await change_key(
            database, "default", row.id, KeySettings(name="x"), actor=ANN, expected=[row.revision]
        )
    assert refused.value.status == 412
    await revoke(database, changed)
    with pytest.raises(InvalidRequest, match="is revoked"):
        await change_key(database, "default", row.id, KeySettings(name="x"), actor=ANN)


WRONG = [
    (KeySettings(endpoints=("v1/chat",)), "is no path"),
    (KeySettings(networks=("10.0.0.1/8",)), "no address and no network"),
    (KeySettings(networks=("intranet",)), "no address and no network"),
    (KeySettings(models=("",)), "entry of models"),
    (KeySettings(models=("m",) * 201), "at most 200"),
    (KeySettings(limits=CallLimits(concurrent=0)), "concurrent"),
    (KeySettings(budget=Budget(amount=Decimal(0))), "above 0"),
    (KeySettings(budget=Budget(amount=Decimal("NaN"))), "above 0"),
    (KeySettings(budget=Budget(amount=Decimal(1), currency="usd")), "capitals"),
]


async def test_settings_that_cannot_be(database: Database):
    for settings, words in WRONG:
        with pytest.raises(InvalidRequest, match=words):
            await make(database, "a", settings=settings)
    assert await list_keys(database) == []


async def test_pages_follow_each_other(database: Database):
    keys = [(await make(database, f"key {number}"))[0] for number in range(5)]
    await revoke(database, keys[2])
    first = await tenant_keys(database, "default", limit=2)
    rest = await tenant_keys(database, "default", after=(first[-1].created_at, first[-1].id))
    assert [key.id for key in (*first, *rest)] == [key.id for key in keys if key is not keys[2]]
    every = await tenant_keys(database, "default", with_inactive=True)
    assert [key.id for key in every] == [key.id for key in keys]


async def test_what_was_done_is_in_the_audit_log(database: Database):
    row, secret = await make(database, "ci", tenant="acme", settings=EVERYTHING)
    await change_key(database, "acme", row.id, KeySettings(name="build"), actor=ANN)
    new, _ = await rotate(database, row)
    await revoke(database, new)
    await revoke(database, new)  # changes nothing, and is no entry
    async with database.connect() as connection:
        query = select(audit_log).where(audit_log.c.object.startswith("key_")).order_by(audit_log.c.position)
        entries = (await connection.execute(query)).all()
    assert [entry.action for entry in entries] == ["key.create", "key.change", "key.rotate", "key.revoke"]
    assert {entry.tenant for entry in entries} == {"acme"}
    assert {entry.actor for entry in entries} == {"usr_ann"}
    assert entries[0].after["budget"] == {"amount": "12.50", "currency": "EUR", "period": "week"}
    assert (entries[1].before, entries[1].after) == ({"name": "ci"}, {"name": "build"})
    assert entries[2].after["id"] == new.id
    assert secret not in repr(entries)
    assert row.digest.hex() not in repr(entries)


async def test_use_is_noted_once_a_minute(database: Database):
    row, _ = await make(database, "a")
    for at, noted in ((1000.0, 1000.0), (1030.0, 1000.0), (1061.0, 1061.0), (900.0, 1061.0)):
        await note_used(database, {row.id: at, "key_unknown": at})
        found = await get_key(database, "default", row.id)
        assert found is not None
        assert found.last_used_at == noted
        assert found.revision == row.revision


async def test_ensure_creates_once(database: Database):
    row, key = await ensure_key(database, "quickstart", actor=ANN)
    assert key is not None
    assert await ensure_key(database, "quickstart", actor=ANN) == (row, None)
    await revoke(database, row)
    again, key = await ensure_key(database, "quickstart", actor=ANN)
    assert key is not None
    assert again.id != row.id


async def test_ensure_creates_once_under_concurrency(database: Database):
    results = await asyncio.gather(*(ensure_key(database, "quickstart", actor=ANN) for _ in range(8)))
    assert len({row.id for row, _ in results}) == 1
    assert sum(key is not None for _, key in results) == 1


async def test_every_change_is_told_to_those_who_watch(database: Database):
    start = await changes_since(database, Seen())
    assert not start.keys
    first, _ = await make(database, "first")
    changes = await changes_since(database, start.seen)
    assert changes.keys == [first]
    assert (await changes_since(database, changes.seen)).keys == ()

    second, _ = await make(database, "second")
    revoked = await revoke(database, first)
    later = await changes_since(database, changes.seen)
    assert later.seen.keys > changes.seen.keys
    assert sorted(key.id for key in later.keys) == sorted([first.id, second.id])
    assert revoked in later.keys

    new, _ = await rotate(database, second)
    last = await changes_since(database, later.seen)
    assert sorted(key.id for key in last.keys) == sorted([second.id, new.id])


async def test_owners_are_told_when_they_may_have_changed(database: Database):
    account = await create_service_account(database, "acme", "ci", "member", actor=ANN)
    await create_key(database, "ci", tenant="acme", owner=account.id, actor=ANN)
    changes = await changes_since(database, Seen())
    assert changes.owners is not None
    owner = changes.owners["acme", account.id]
    assert (owner.role, owner.permissions, owner.disabled_at) == ("member", None, None)
    assert (await changes_since(database, changes.seen)).owners is None
    async with database.begin() as connection:
        await bump(connection, "service_accounts")
        await connection.execute(update(service_accounts).values(disabled_at=5.0))
    later = await changes_since(database, changes.seen)
    assert later.keys == []
    assert later.owners is not None
    assert later.owners["acme", account.id].disabled_at == 5.0


async def test_no_change_is_missed_while_others_write(database: Database):
    async def write():
        for number in range(10):
            row, _ = await make(database, f"key {number}")
            await revoke(database, row)

    writers = asyncio.gather(write(), write())
    found: dict[str, float | None] = {}
    seen = Seen()
    while not writers.done():
        changes = await changes_since(database, seen)
        seen = changes.seen
        found.update({key.id: key.revoked_at for key in changes.keys})
    changes = await changes_since(database, seen)
    found.update({key.id: key.revoked_at for key in changes.keys})
    assert found == {key.id: key.revoked_at for key in await list_keys(database, with_inactive=True)}
    assert len(found) == 20


async def test_an_older_revision_tells_of_a_replaced_table(database: Database):
    await make(database, "a")
    changes = await changes_since(database, Seen(keys=99))
    assert (changes.seen.keys, changes.keys) == (1, ())
