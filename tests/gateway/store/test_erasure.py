"""Erasing, sweeping and exporting: what is personal goes or is handed out, what calls cost stays."""

import json
import time
from typing import Any

import pytest
from sqlalchemy import insert, select

from gateway.errors import InvalidRequest
from gateway.identity.retention import Retention
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.changes import bump
from gateway.store.erasure import ERASED, erase_tenant, erase_user, sweep
from gateway.store.export import export_tenant
from gateway.store.forgetting import PERSONAL
from gateway.store.identity_tables import (
    audit_log,
    credentials,
    identities,
    invitations,
    memberships,
    sessions,
    users,
)
from gateway.store.invitations import invite
from gateway.store.memberships import add_member
from gateway.store.money_tables import notices
from gateway.store.stored_tables import batch_lines, batches, file_chunks, files, response_events, responses
from gateway.store.tables import api_keys, model_calls, outbox, tenants
from gateway.store.tenants import TenantSettings, create_tenant, get_tenant
from gateway.store.users import create_user, get_user

ACTOR = Actor(kind="command", id="root")
NOW = time.time()
DAY = 86_400.0
CANARY = "Personal-Canary"
SECRET = b"Secret-Canary"


class World:
    """Two tenants: `acme` with Ann, and `globex` with Ann and Bob; and something of each kind in both."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ann = self.bob = ""
        self._digests = 0

    async def build(self) -> None:
        for tenant in ("acme", "globex"):
            await create_tenant(self.database, tenant, TenantSettings(retention_days=30), actor=ACTOR)
        async with self.database.begin() as connection:
            joined = await bump(connection, "memberships")
            for name, of in (("ann", ("acme", "globex")), ("bob", ("globex",))):
                user = await create_user(
                    connection, name=f"{CANARY} {name}", email=f"{CANARY}-{name}@a.example", revision=1
                )
                setattr(self, name, user.id)
                for tenant in of:
                    role = "owner" if (name, tenant) != ("ann", "globex") else "member"
                    await add_member(connection, tenant, user.id, role, revision=joined)
                await self.add(
                    identities,
                    id=f"idn_{name}",
                    user=user.id,
                    kind="did",
                    subject=f"did:{CANARY}:{name}",
                    label=CANARY,
                    data={},
                    created_at=NOW,
                    connection=connection,
                )
        for tenant in ("acme", "globex"):
            await invite(self.database, tenant, "member", email=f"{CANARY}-ann@a.example", actor=ACTOR)
            await self.add(
                api_keys,
                id=f"key_{tenant}",
                tenant=tenant,
                name=CANARY,
                hint="gw_ab…wxyz",
                digest=self.digest(),
                digest_scheme="sha256",
                owner=self.ann,
                created_at=NOW,
                revision=1,
            )
            await self.add(
                credentials,
                tenant=tenant,
                id=f"crd_{tenant}",
                provider="mock",
                name="own",
                sealed=SECRET,
                master_key="k1",
                hint="sk…",
                created_at=NOW,
                updated_at=NOW,
                revision=1,
            )
            for age in (0, 20, 40):
                await self.call(tenant, age)
                await self.stored(tenant, age)
                await self.told(tenant, age)

    async def add(self, table: Any, connection: Any = None, **values: Any) -> None:
        if connection is not None:
            await connection.execute(insert(table).values(**values))
            return
        async with self.database.begin() as opened:
            await opened.execute(insert(table).values(**values))

    def digest(self) -> bytes:
        self._digests += 1
        return SECRET + self._digests.to_bytes(32 - len(SECRET), "big")

    async def call(self, tenant: str, age: float) -> None:
        at = NOW - age * DAY
        await self.add(
            model_calls,
            id=f"call_{int(at * 1000):012x}{self._digests:08x}{tenant}",
            request_id="req_1",
            client_request_id=CANARY,
            tenant=tenant,
            user=self.ann,
            key=f"key_{tenant}",
            key_name=CANARY,
            capability="chat",
            dialect="openai.chat",
            model="mock/fast",
            stream=False,
            worker="w",
            received_at=at,
            status="failed",
            cost=1_500,
            error_message=CANARY,
        )

    async def told(self, tenant: str, age: float) -> None:
        """Notices of a refund to Ann, which the sinks have taken, and of one that a sink still waits for."""
        for number in (1, 2):
            made = f"evt_{tenant}_{age}_{number}"
            account = f"{tenant}/{self.ann}"
            await self.add(
                notices,
                id=made,
                kind="refund",
                tenant=tenant,
                user=self.ann,
                at=NOW - age * DAY,
                data={"account": account, "amount_nano": 5},
                sent=True,
            )
        await self.add(outbox, sink="webhook", call=made)

    async def notices_of(self, tenant: str) -> dict[str, tuple[str | None, str]]:
        """Whom the tenant's notices name, by what is peculiar in their ids."""
        return {
            row.id.removeprefix(f"evt_{tenant}_"): (row.user, row.data["account"])
            for row in await self.rows(notices, tenant=tenant)
        }

    async def stored(self, tenant: str, age: float) -> None:
        at, number = NOW - age * DAY, f"{tenant}_{age}"
        whose = {"tenant": tenant, "id": number, "key": f"key_{tenant}", "created_at": at}
        content = json.dumps(CANARY).encode()
        await self.add(
            responses,
            **whose,
            model="m",
            status="completed",
            call="c",
            background=True,
            stream=True,
            expires_at=NOW + DAY,
            input=content,
            response=content,
        )
        await self.add(response_events, tenant=tenant, response=number, position=1, data=content)
        await self.add(files, **whose, name=CANARY, purpose="batch", bytes=1, whole=True)
        await self.add(file_chunks, tenant=tenant, file=number, position=1, data=content)
        await self.add(
            batches,
            tenant=tenant,
            id=number,
            principal=json.dumps({"tenant": tenant, "user": self.ann}).encode(),
            endpoint="/v1/chat/completions",
            input_file=number,
            status="completed",
            total=1,
            completed=1,
            failed=0,
            created_at=at,
            expires_at=at + DAY,
            ended_at=at,
        )
        await self.add(
            batch_lines,
            tenant=tenant,
            batch=number,
            number=1,
            custom_id=CANARY,
            state="completed",
            tries=0,
            result=content,
        )

    async def rows(self, table: Any, **where: str) -> list[Any]:
        query = select(table)
        for name, value in where.items():
            query = query.where(table.c[name] == value)
        async with self.database.connect() as connection:
            return [*(await connection.execute(query)).all()]

    async def everything(self, *, of: str | None = None) -> str:
        """All rows of all tables, but those of one tenant."""
        found: list[str] = []
        for table in tenants.metadata.sorted_tables:
            for row in await self.rows(table):
                fields = dict(row._mapping)
                if of is None or fields.get("tenant") != of:
                    found.append(f"{table.name}: {fields}")
        return "\n".join(found)


async def world_in(database: Database) -> World:
    world = World(database)
    await world.build()
    return world


async def test_an_erased_tenant_leaves_what_its_calls_cost(database: Database):
    world = await world_in(database)
    done = await erase_tenant(database, "acme", operator_tenant="default", actor=ACTOR)
    assert (done.calls, done.users) == (3, 0)  # Ann is of globex, too
    calls = await world.rows(model_calls, tenant="acme")
    assert [call.cost for call in calls] == [1_500] * 3
    assert all(getattr(call, name) is None for call in calls for name in PERSONAL)
    assert {call.key for call in calls} == {"key_acme"}
    for table in (responses, response_events, files, file_chunks, batches, batch_lines, credentials):
        assert await world.rows(table, tenant="acme") == []
        assert await world.rows(table, tenant="globex") != []
    for table in (memberships, invitations):
        assert await world.rows(table, tenant="acme") == []
    (key,) = await world.rows(api_keys, tenant="acme")
    assert (key.name, key.revoked_at is None) == (ERASED, False)
    erased = await get_tenant(database, "acme")
    assert (erased.state, erased.name) == ("erased", ERASED)
    assert all(call.user == world.ann for call in await world.rows(model_calls, tenant="globex"))
    nobody = (None, f"acme/{ERASED}")
    assert await world.notices_of("acme") == {"0_2": nobody, "20_2": nobody, "40_2": nobody}
    named = (world.ann, f"globex/{world.ann}")
    assert {*(await world.notices_of("globex")).values()} == {named}
    # Whoever was in no other tenant is gone with it, and nothing anywhere remembers them but by their ids.
    assert (await erase_tenant(database, "globex", operator_tenant="default", actor=ACTOR)).users == 2
    assert CANARY not in await world.everything()
    assert [row.action for row in await world.rows(audit_log)].count("tenant.erase") == 2


async def test_a_user_is_erased_in_all_tenants(database: Database):
    world = await world_in(database)
    with pytest.raises(InvalidRequest) as last:
        await erase_user(database, world.bob, actor=ACTOR)
    assert last.value.code == "last_owner"
    async with database.begin() as connection:
        await connection.execute(
            memberships.update()
            .where(memberships.c.tenant == "acme")
            .values(role="member", revision=await bump(connection, "memberships"))
        )
    done = await erase_user(database, world.ann, actor=ACTOR)
    assert done.calls == 6
    erased = await get_user(database, world.ann)
    assert erased is not None
    assert (erased.state, erased.name, erased.email) == ("erased", ERASED, None)
    assert CANARY not in (await world.everything()).replace(f"{CANARY} bob", "").replace(
        f"{CANARY}-bob@a.example", ""
    ).replace(f"did:{CANARY}:bob", "").replace(f"'label': '{CANARY}'", "")
    assert [row.user for row in await world.rows(identities)] == [world.bob]
    for tenant in ("acme", "globex"):
        assert [*(await world.notices_of(tenant)).values()] == [(None, f"{tenant}/{ERASED}")] * 6
    assert all(row.revoked_at is not None for row in await world.rows(invitations))
    assert (await get_user(database, world.bob)).name == f"{CANARY} bob"  # pyright: ignore[reportOptionalMemberAccess]
    assert (await erase_user(database, world.ann, actor=ACTOR)).calls == 0


async def test_a_sweep_takes_what_is_older(database: Database):
    world = await world_in(database)
    async with database.begin() as connection:
        await connection.execute(tenants.update().where(tenants.c.id == "globex").values(retention_days=None))
    assert await sweep(database, now=NOW) == 1
    calls = {
        round((NOW - call.received_at) / DAY): call for call in await world.rows(model_calls, tenant="acme")
    }
    assert (calls[40].user, calls[40].error_message, calls[40].cost) == (None, None, 1_500)
    assert calls[20].user == world.ann
    assert (
        len(await world.rows(files, tenant="acme")) == len(await world.rows(file_chunks, tenant="acme")) == 2
    )
    assert len(await world.rows(batch_lines, tenant="acme")) == 2
    assert len(await world.rows(files, tenant="globex")) == 3
    named = (world.ann, f"acme/{world.ann}")
    young = {"0_1": named, "0_2": named, "20_1": named, "20_2": named}
    assert await world.notices_of("acme") == {**young, "40_2": (None, f"acme/{ERASED}")}
    assert len(await world.notices_of("globex")) == 6
    assert await sweep(database, now=NOW) == 0
    assert await sweep(database, now=NOW + 11 * DAY) == 1
    await world.call("acme", 19.5)  # ran at the last sweep: the day before it is looked at again
    assert await sweep(database, now=NOW + 11.5 * DAY) == 1


async def test_one_worker_sweeps(sqlite: Database):
    world = await world_in(sqlite)
    workers = [Retention(sqlite), Retention(sqlite)]
    assert [await worker.look() for worker in workers] == [True, False]
    assert sum(call.user is None for call in await world.rows(model_calls)) == 2


async def test_an_export_holds_all_and_no_secret(database: Database):
    world = await world_in(database)
    await world.add(
        sessions,
        id="ses_1",
        user=world.ann,
        tenant="acme",
        method="link",
        access_digest=world.digest(),
        access_expires_at=NOW,
        refresh_digest=world.digest(),
        family_digest=world.digest(),
        salt=b"s",
        refreshed_at=NOW,
        csrf="c",
        created_at=NOW,
        last_seen_at=NOW,
        expires_at=NOW,
        revision=1,
    )
    text = b"".join([line async for line in export_tenant(database, "acme")])
    objects = [json.loads(line) for line in text.splitlines()]
    kinds = [one["kind"] for one in objects]
    assert {
        kind: kinds.count(kind)
        for kind in ("tenant", "member", "key", "credential", "call", "file", "notice")
    } == {
        "tenant": 1,
        "member": 1,
        "key": 1,
        "credential": 1,
        "call": 3,
        "file": 3,
        "notice": 6,
    }
    assert all(one.get("tenant", "acme") == "acme" for one in objects)
    assert next(one for one in objects if one["kind"] == "response")["input"] == CANARY
    assert b"globex" not in text
    assert b"Bob" not in text
    for secret in (SECRET, b"U2VjcmV0", b"digest", b"sealed", b"csrf"):
        assert secret not in text
    with pytest.raises(InvalidRequest):
        await anext(export_tenant(database, "nobody"))


async def test_the_operators_tenant_stays(sqlite: Database):
    await create_tenant(sqlite, "default", actor=ACTOR)
    with pytest.raises(InvalidRequest, match="operator"):
        await erase_tenant(sqlite, "default", operator_tenant="default", actor=ACTOR)


async def test_nobody_is_erased_by_a_wrong_name(sqlite: Database):
    for attempt in (
        erase_tenant(sqlite, "nobody", operator_tenant="default", actor=ACTOR),
        erase_user(sqlite, "usr_nobody", actor=ACTOR),
    ):
        with pytest.raises(InvalidRequest) as refused:
            await attempt
        assert refused.value.status == 404
    async with sqlite.connect() as connection:
        assert (await connection.execute(select(users))).all() == []
