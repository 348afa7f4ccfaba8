"""The database by its URL: what is understood, what is refused, how it is opened."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from gateway.errors import ConfigError, Unavailable
from gateway.store import Database
from gateway.store.tables import tenants

ACME = {"id": "acme", "name": "Acme", "created_at": 0.0}


@pytest.mark.parametrize(
    ("url", "dialect", "shown"),
    [
        ("sqlite:///gateway.db", "sqlite", "sqlite:///gateway.db"),
        ("sqlite:////var/lib/gateway.db?synchronous=full", "sqlite", "sqlite:////var/lib/gateway.db"),
        ("sqlite:///with%20space.db", "sqlite", "sqlite:///with space.db"),
        ("postgresql://ann:secret@db:5433/gw?sslmode=require", "postgresql", "postgresql://ann@db:5433/gw"),
        ("postgres://db/gw", "postgresql", "postgresql://db/gw"),
    ],
)
def test_urls_that_are_understood(url: str, dialect: str, shown: str):
    database = Database(url)
    assert (database.dialect, database.shown) == (dialect, shown)
    assert "secret" not in repr(database)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ann:secret@db/gw",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/file.db",
        "postgresql://ann:secret@db:port/gw",
        "postgresql://ann:secret@db",
        "gateway.db",
        "",
    ],
)
def test_urls_that_are_refused_name_the_forms_and_no_secret(url: str):
    with pytest.raises(ConfigError) as caught:
        Database(url)
    (problem,) = caught.value.problems
    assert "sqlite:///gateway.db" in problem
    assert "postgresql://user:password@host:5432/name" in problem
    assert "secret" not in problem


def test_all_wrong_options_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        Database("sqlite:///x.db?synchronous=off&cache=shared")
    assert len(caught.value.problems) == 2


def test_a_missing_driver_says_the_pip_line(monkeypatch: pytest.MonkeyPatch):
    def find_spec(name: str) -> Any:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(ConfigError, match=r"pip install 'asgi-gateway\[postgres\]'"):
        Database("postgresql://db/gw")


async def test_making_one_opens_nothing(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    await database.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_transaction_is_kept_or_undone_as_a_whole(database: Database):
    async with database.begin() as connection:
        await connection.execute(insert(tenants).values(ACME))

    async def fail() -> None:
        async with database.begin() as connection:
            await connection.execute(insert(tenants).values({**ACME, "id": "other"}))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with database.connect() as connection:
        assert (await connection.execute(select(tenants.c.id))).scalars().all() == ["acme"]


async def test_what_the_database_rejects_is_not_taken_for_an_outage(database: Database):
    async with database.begin() as connection:
        await connection.execute(insert(tenants).values(ACME))
    with pytest.raises(IntegrityError):
        async with database.begin() as connection:
            await connection.execute(insert(tenants).values(ACME))


async def test_writers_wait_for_each_other(database: Database):
    async def add(number: int) -> None:
        async with database.begin() as connection:
            count = len((await connection.execute(select(tenants.c.id))).all())
            await connection.execute(insert(tenants).values({**ACME, "id": f"{number}", "name": f"{count}"}))

    await asyncio.gather(*(add(number) for number in range(20)))
    async with database.connect() as connection:
        assert len((await connection.execute(select(tenants.c.id))).all()) == 20


async def test_it_may_be_used_again_after_closing(database: Database):
    await database.close()
    async with database.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar() == 1


@pytest.mark.parametrize(("option", "level"), [("", 1), ("?synchronous=full", 2)])
async def test_sqlite_is_set_up_for_several_writers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, level: int
):
    monkeypatch.setattr("gateway.store.database._SQLITE_BUSY_MS", 700)
    database = Database(f"sqlite:///{tmp_path / 'x.db'}{option}")
    async with database.connect() as connection:
        found = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    await database.close()
    assert found == ["wal", level, 1, 700]


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/x.db", "postgresql://ann:secret@127.0.0.1:1/gw"])
async def test_a_database_that_is_away_is_said_to_be_unavailable(url: str):
    database = Database(url)
    for use in (database.connect, database.begin):
        with pytest.raises(Unavailable) as caught:
            async with use():
                pass
        assert "secret" not in caught.value.message
        assert "/no/such" not in caught.value.message
    await database.close()


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_that_breaks_while_it_is_given_back_says_so(database: Database):
    async def breaks() -> None:
        async with database.connect() as connection:
            await connection.execute(text("SELECT 1"))
            raw: Any = await connection.get_raw_connection()
            asyncio.get_running_loop().call_soon(raw.driver_connection._transport.abort)

    for _ in range(2):  # again, and it is a new connection
        with pytest.raises(Unavailable, match="does not answer"):
            await breaks()
    async with database.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar() == 1


async def test_a_server_that_takes_connections_and_says_nothing_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("gateway.store.database._POSTGRES_TIMEOUT", 0.2)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = Database(f"postgresql://root@127.0.0.1:{port}/gw?sslmode=disable")
        with pytest.raises(Unavailable) as caught:
            async with database.connect():
                pass
        await database.close()
    assert caught.value.__notes__ == [f"postgresql://root@127.0.0.1:{port}/gw: no answer within 0.2 s"]
