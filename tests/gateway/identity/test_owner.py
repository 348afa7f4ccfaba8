"""The first owner: created once, whoever starts at the same time; signed in by a link that is good once."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from gateway.cli.welcome import show_owner_link
from gateway.config import Config
from gateway.errors import InvalidRequest
from gateway.identity.owner import PURPOSE, ensure_owner, first_owner, sign_in_link
from gateway.plugin import Plugin, PluginConfig
from gateway.store import Database
from gateway.store.identity_tables import memberships
from gateway.store.tickets import Tickets


class Console(Plugin[PluginConfig]):
    id = "service.console"


async def test_of_many_processes_one_makes_the_owner(database: Database, database_url: str):
    others = [Database(database_url) for _ in range(3)]
    made = await asyncio.gather(*(ensure_owner(each, "default") for each in (database, *others)))
    for other in others:
        await other.close()
    owners = [owner for owner in made if owner is not None]
    assert len(owners) == 1
    async with database.connect() as connection:
        rows = (await connection.execute(select(memberships))).all()
    assert [(row.tenant, row.user, row.role) for row in rows] == [("default", owners[0].id, "owner")]
    assert await first_owner(database, "default") == owners[0].id
    assert await ensure_owner(database, "default") is None


async def test_a_link_is_good_once(sqlite: Database):
    owner = await ensure_owner(sqlite, "default")
    assert owner is not None
    link = await sign_in_link(sqlite, owner.id, base_url="https://ai.example")
    assert link.startswith("https://ai.example/sign-in/link?token=")
    token = parse_qs(urlsplit(link).query)["token"][0]
    assert await Tickets(sqlite, PURPOSE).redeem(token) == {"user": owner.id}
    assert await Tickets(sqlite, PURPOSE).redeem(token) is None
    with pytest.raises(InvalidRequest):
        await sign_in_link(sqlite, "usr_nobody", base_url="https://ai.example")


async def test_a_start_with_a_console_shows_the_link_once(
    sqlite: Database, capsys: pytest.CaptureFixture[str]
):
    settings: dict[str, Any] = {"database": sqlite.shown, "identity": {"operator_tenant": "ops"}}
    with_console = Config.from_dict({"gateway": settings, "service": {"console": {}}}, extra=[Console])
    await show_owner_link(Config.from_dict({"gateway": settings}), url="http://127.0.0.1:1")
    assert capsys.readouterr().out == ""
    assert await first_owner(sqlite, "ops") is None
    for expected in (1, 0):
        await show_owner_link(with_console, url="http://127.0.0.1:4321")
        assert capsys.readouterr().out.count("http://127.0.0.1:4321/sign-in/link?token=") == expected
    assert await first_owner(sqlite, "ops") is not None


async def test_a_link_leads_to_where_people_reach_the_gateway(
    sqlite: Database, capsys: pytest.CaptureFixture[str]
):
    settings: dict[str, Any] = {
        "database": sqlite.shown,
        "identity": {"public_url": "https://ai.example/hub"},
    }
    config = Config.from_dict({"gateway": settings, "service": {"console": {}}}, extra=[Console])
    await show_owner_link(config, url="http://127.0.0.1:4321")
    assert "https://ai.example/hub/sign-in/link?token=" in capsys.readouterr().out
