"""Tenants in the database: created, changed, suspended; who watches learns of each change."""

import pytest

from gateway.errors import InvalidRequest
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.tenants import (
    UNCHANGED,
    TenantSettings,
    change_tenant,
    create_tenant,
    get_tenant,
    list_tenants,
    resume_tenant,
    suspend_tenant,
    tenants_since,
)
from gateway.types import CallLimits

ACTOR = Actor(kind="command", id="root")
EVERYTHING = TenantSettings(
    name="Acme Inc.",
    models=("gpt-5", "openai/*"),
    providers=("openai",),
    limits=CallLimits(requests_per_minute=10, concurrent=2),
    retention_days=30,
)


async def test_a_tenant_keeps_what_it_was_given(database: Database):
    made = await create_tenant(database, "acme", EVERYTHING, actor=ACTOR)
    assert made == await get_tenant(database, "acme")
    assert made.models == ("gpt-5", "openai/*")
    assert made.limits == CallLimits(requests_per_minute=10, concurrent=2)
    assert (made.name, made.retention_days, made.state) == ("Acme Inc.", 30, "active")


async def test_a_change_leaves_the_rest_and_takes_back(sqlite: Database):
    made = await create_tenant(sqlite, "acme", EVERYTHING, actor=ACTOR)
    changed = await change_tenant(
        sqlite, "acme", TenantSettings(models=None, limits=None), actor=ACTOR, expected=(made.revision,)
    )
    assert (changed.models, changed.limits) == (None, None)
    assert (changed.name, changed.providers) == (made.name, made.providers)
    assert changed.revision > made.revision
    with pytest.raises(InvalidRequest) as stale:
        await change_tenant(sqlite, "acme", TenantSettings(name="B"), actor=ACTOR, expected=(made.revision,))
    assert stale.value.status == 412


async def test_suspended_and_resumed(sqlite: Database):
    await create_tenant(sqlite, "acme", actor=ACTOR)
    suspended = await suspend_tenant(sqlite, "acme", operator_tenant="default", actor=ACTOR)
    assert suspended.state == "suspended"
    assert (await resume_tenant(sqlite, "acme", actor=ACTOR)).state == "active"
    await create_tenant(sqlite, "default", actor=ACTOR)
    with pytest.raises(InvalidRequest, match="nobody could resume"):
        await suspend_tenant(sqlite, "default", operator_tenant="default", actor=ACTOR)


async def test_who_watches_gets_what_changed(sqlite: Database):
    await create_tenant(sqlite, "acme", actor=ACTOR)
    seen, changed = await tenants_since(sqlite, 0)
    assert [tenant.id for tenant in changed] == ["acme"]
    assert await tenants_since(sqlite, seen) == (seen, [])
    await create_tenant(sqlite, "globex", actor=ACTOR)
    later, changed = await tenants_since(sqlite, seen)
    assert later > seen
    assert [tenant.id for tenant in changed] == ["globex"]


async def test_pages_hold_every_tenant_once(sqlite: Database):
    for n in range(5):
        await create_tenant(sqlite, f"t{n}", actor=ACTOR)
    found: list[str] = []
    after = None
    while page := await list_tenants(sqlite, after=after, limit=2):
        found += [tenant.id for tenant in page]
        after = (page[-1].created_at, page[-1].id)
    assert found == [f"t{n}" for n in range(5)]


@pytest.mark.parametrize(
    "settings",
    [
        TenantSettings(name=" "),
        TenantSettings(models=("",)),
        TenantSettings(providers=("a\nb",)),
        TenantSettings(retention_days=0),
        TenantSettings(limits=CallLimits(concurrent=0)),
    ],
)
async def test_what_makes_no_sense_is_refused(sqlite: Database, settings: TenantSettings):
    with pytest.raises(InvalidRequest):
        await create_tenant(sqlite, "acme", settings, actor=ACTOR)
    with pytest.raises(InvalidRequest):
        await get_tenant(sqlite, "acme")


async def test_an_id_is_taken_once(sqlite: Database):
    await create_tenant(sqlite, "acme", UNCHANGED, actor=ACTOR)
    with pytest.raises(InvalidRequest, match="already") as refused:
        await create_tenant(sqlite, "acme", actor=ACTOR)
    assert refused.value.status == 409
