"""The audit log: an unbroken chain whoever writes, and found out whatever is done to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable

from gateway import Gateway
from gateway.store import Database
from gateway.store.audit import Actor, hash_of, record
from gateway.store.audit_chain import rows, verify
from gateway.store.identity_tables import audit_log
from gateway.store.tables import revisions

ANN = Actor(kind="user", id="usr_ann", request_id="req_1", address="192.0.2.7")


async def write(database: Database, *, times: int = 1, note: str = "") -> None:
    for number in range(times):
        async with database.begin() as connection:
            await record(
                connection,
                ANN,
                "thing.change",
                f"thing {number}",
                tenant="acme",
                before={"ä": [1, 2.5, None, {"b": True}], "note": note},
                after={"z": 1e22, "a": "☃\u2028"},
            )


async def tamper(database: Database, *statements: Executable) -> None:
    """Do what somebody with the rights of the database's owner can."""
    off = (
        ["DROP TRIGGER IF EXISTS audit_log_no_update", "DROP TRIGGER IF EXISTS audit_log_no_delete"]
        if database.dialect == "sqlite"
        else ["DROP TRIGGER IF EXISTS audit_log_append_only ON audit_log"]
    )
    async with database.begin() as connection:
        for statement in (*map(text, off), *statements):
            await connection.execute(statement)


async def entries(database: Database) -> Sequence[dict[str, object]]:
    return [row async for row in rows(database)]


async def test_parallel_changes_give_one_unbroken_chain(database: Database):
    await asyncio.gather(*(write(database, note=str(number)) for number in range(20)))
    verdict = await verify(database)
    assert (verdict.count, verdict.problem) == (20, None)
    found = await entries(database)
    assert [row["position"] for row in found] == [*range(1, 21)]
    assert verdict.head == found[-1]["hash"]
    for row in (found[0], found[11], found[-1]):
        hash_ = row["hash"]
        assert isinstance(hash_, bytes)
        assert (await verify(database, expect=hash_)).problem is None
    assert "expected hash" in str((await verify(database, expect=b"\1" * 32)).problem)


async def test_an_empty_log_is_unbroken(database: Database):
    assert await verify(database) == await verify(database, expect=bytes(32))
    assert (await verify(database)).problem is None


async def test_the_database_refuses_to_change_entries(database: Database):
    await write(database, times=2)
    attempts: list[Executable] = [
        update(audit_log).values(actor="nobody"),
        update(audit_log).where(audit_log.c.position == 1).values(at=0.0),
        delete(audit_log).where(audit_log.c.position == 2),
        delete(audit_log),
    ]
    if database.dialect == "postgresql":
        attempts.append(text("TRUNCATE audit_log"))
    for attempt in attempts:
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.begin() as connection:
                await connection.execute(attempt)
    assert (await verify(database)).count == 2


async def test_what_somebody_did_to_the_log_is_named(database: Database):
    await write(database, times=6)
    head = (await verify(database)).head
    await tamper(database, update(audit_log).where(audit_log.c.position == 5).values(actor="nobody"))
    assert (await verify(database)).problem == "entry 5 was changed"
    assert (await verify(database)).count == 4
    await tamper(database, delete(audit_log).where(audit_log.c.position == 3))
    assert (await verify(database)).problem == "entry 3 is missing"
    await tamper(database, delete(audit_log).where(audit_log.c.position > 2))
    assert (await verify(database)).problem == ("entry 3 is missing, with all up to 6: the end was cut off")
    await tamper(database, update(revisions).where(revisions.c.name == "audit_log").values(value=2))
    assert (await verify(database)).problem is None  # so it is only known by what was noted before
    assert "expected hash" in str((await verify(database, expect=head)).problem)


async def test_a_forged_entry_is_named(database: Database):
    await write(database, times=2)
    async with database.connect() as connection:
        last = (await connection.execute(select(audit_log).order_by(audit_log.c.position.desc()))).first()
    assert last is not None
    forged = {**last._mapping, "position": 3}
    await tamper(database, insert(audit_log).values(**forged))
    assert (await verify(database)).problem == "entry 3 does not follow the one before it"
    entry = {name: value for name, value in forged.items() if name not in {"previous", "hash"}}
    right = {"previous": last.hash, "hash": hash_of(entry, last.hash)}
    await tamper(database, update(audit_log).where(audit_log.c.position == 3).values(**right))
    assert (await verify(database)).problem == (
        "entry 3 was never counted: it was not written by the gateway"
    )


async def test_a_config_is_noted_when_it_has_changed(database_url: str):
    gateways = [
        Gateway.from_dict(
            {"gateway": {"database": database_url, "max_body_bytes": size}, "provider": {"mock": {}}}
        )
        for size in (1000, 1000, 2000)
    ]
    for gateway in gateways:
        async with gateway.lifespan():
            pass
    database = gateways[0]._context.database
    first, second = await entries(database)
    assert (first["action"], first["before"]) == ("config.change", None)
    assert first["after"] == second["before"] != second["after"]
    assert (await verify(database)).problem is None
    await database.close()
