"""Nobody gives, or takes away, more than they have themselves."""

from collections.abc import Collection

import pytest

from gateway.errors import InvalidRequest, PermissionDenied
from gateway.identity.permissions import PERMISSIONS, ROLES, permissions_of
from gateway.identity.roles import Grants
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.changes import bump
from gateway.store.memberships import add_member, get_member
from gateway.store.users import create_user

ACTOR = Actor(kind="user", id="usr_me")


def grants(database: Database, held: Collection[str] | None, tenant: str = "acme") -> Grants:
    return Grants(database, tenant, held=held, operator_tenant="default", actor=ACTOR)


async def member(database: Database, role: str, tenant: str = "acme") -> str:
    async with database.begin() as connection:
        joined = await bump(connection, "memberships")
        user = await create_user(connection, name=role, revision=await bump(connection, "users"))
        await add_member(connection, tenant, user.id, role, revision=joined)
    return user.id


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("wanted", ROLES)
async def test_a_role_is_granted_by_those_who_may_as_much(sqlite: Database, role: str, wanted: str):
    held = permissions_of(role, operator=False)
    if permissions_of(wanted, operator=False) <= held:
        await grants(sqlite, held).check(wanted)
    else:
        with pytest.raises(PermissionDenied) as refused:
            await grants(sqlite, held).check(wanted)
        assert refused.value.code == "beyond_own_permissions"


async def test_an_admin_neither_becomes_an_owner_nor_demotes_one(sqlite: Database):
    owner, me = await member(sqlite, "owner"), await member(sqlite, "admin")
    mine = grants(sqlite, permissions_of("admin", operator=False))
    for user, role in ((me, "owner"), (owner, "viewer")):
        with pytest.raises(PermissionDenied):
            await mine.change_member(user, role)
    with pytest.raises(PermissionDenied):
        await mine.remove_member(owner)
    assert (await mine.change_member(me, "viewer")).role == "viewer"  # downwards everybody may go
    assert (await get_member(sqlite, "acme", owner)).role == "owner"


async def test_a_role_of_ones_own_is_no_way_up(sqlite: Database):
    held = frozenset({"roles.manage", "users.manage", "keys.read"})
    mine = grants(sqlite, held)
    made = await mine.create_role("helper", description="", permissions=["keys.read"])
    assert made.permissions == {"keys.read"}
    for permissions in (["keys.read", "keys.manage"], [*PERMISSIONS]):
        with pytest.raises((PermissionDenied, InvalidRequest)):
            await mine.change_role("helper", permissions=permissions)
    with pytest.raises(PermissionDenied):
        await mine.create_role("boss", description="", permissions=["tenant.erase"])
    await grants(sqlite, None).create_role("boss", description="", permissions=["tenant.erase"])
    for attempt in (
        mine.change_role("boss", permissions=["keys.read"]),
        mine.delete_role("boss"),
        mine.create_service_account("CI", "boss"),
    ):
        with pytest.raises(PermissionDenied):
            await attempt
    await mine.delete_role("helper")


@pytest.mark.parametrize("permission", ["gateway.tenants", "gateway.config", "nothing.known"])
async def test_a_role_of_ones_own_holds_what_a_tenant_may(sqlite: Database, permission: str):
    for tenant in ("acme", "default"):
        with pytest.raises(InvalidRequest, match="permission"):
            await grants(sqlite, None, tenant).create_role("r", description="", permissions=[permission])


async def test_the_roles_of_all_tenants_stay_as_they_are(sqlite: Database):
    mine = grants(sqlite, None)
    for attempt in (
        mine.create_role("owner", description="", permissions=[]),
        mine.change_role("viewer", permissions=["keys.manage"]),
        mine.delete_role("member"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            await attempt
        assert refused.value.status == 409


async def test_a_role_of_another_tenant_is_none_here(sqlite: Database):
    await grants(sqlite, None, "globex").create_role("helper", description="", permissions=["keys.read"])
    with pytest.raises(InvalidRequest, match="no role"):
        await grants(sqlite, None).check("helper")


async def test_only_in_the_operators_tenant_a_role_reaches_the_gateway(sqlite: Database):
    assert "gateway.tenants" in await grants(sqlite, None, "default").permissions("admin")
    assert not any(p.startswith("gateway.") for p in await grants(sqlite, None).permissions("owner"))
