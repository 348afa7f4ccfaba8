"""Sign-ins that are begun: so many an address, and so many altogether."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select, update

from gateway.errors import RateLimited, Unavailable
from gateway.identity.devices import Devices
from gateway.identity.people import Client
from gateway.store import Database
from gateway.store.identity_tables import tickets
from gateway.store.tickets import Tickets

from .workers import BROWSER, sqlite_only, worker


async def stored(database: Database) -> int:
    async with database.connect() as connection:
        return await connection.scalar(select(func.count()).select_from(tickets)) or 0


@sqlite_only
async def test_an_address_begins_so_many_and_nothing_is_stored_of_more(database: Database) -> None:
    async with worker(database, sign_ins_per_minute=2) as here:
        devices = Devices(database, here.sessions)
        for _ in range(2):
            await devices.begin(BROWSER)
        before = await stored(database)
        with pytest.raises(RateLimited, match="sign-ins") as refused:
            await devices.begin(BROWSER)
        ((name, seconds),) = refused.value.headers
        assert (name, refused.value.code) == (b"retry-after", "too_many_sign_ins")
        assert 0 < int(seconds) <= 60
        assert await stored(database) == before
        await devices.begin(Client(address="192.0.2.8"))
        await here.sign_in()  # whoever has begun may finish


async def test_what_was_begun_at_one_worker_counts_at_another(database: Database) -> None:
    async with (
        worker(database, sign_ins_per_minute=3) as here,
        worker(database, sign_ins_per_minute=3) as there,
    ):
        await here.sessions.begin("2001:db8::1")
        await asyncio.gather(here.sessions.begin("2001:db8::2"), there.sessions.begin("2001:db8::3"))
        for one in (there, here, there):
            with pytest.raises(RateLimited, match="sign-ins") as refused:
                await one.sessions.begin("2001:db8::4")
            assert 0 < int(refused.value.headers[0][1]) <= 60
        await there.sessions.begin("192.0.2.9")
        async with database.begin() as connection:
            await connection.execute(update(tickets).values(expires_at=0))
    async with worker(database, sign_ins_per_minute=3) as later:
        for _ in range(3):
            await later.sessions.begin("2001:db8::1")


async def test_all_that_count_at_once_are_counted(database: Database) -> None:
    counters = [Tickets(database, "counted") for _ in range(4)]
    found = await asyncio.gather(*(counters[n % 4].count("it", seconds=60) for n in range(20)))
    assert sorted(count for count, _ in found) == [*range(1, 21)]
    assert len({until for _, until in found}) == 1
    assert (await counters[0].count("another", seconds=60))[0] == 1


async def test_only_so_many_of_a_kind_are_under_way(database: Database) -> None:
    few, others = Tickets(database, "kind", most=3), Tickets(database, "another", most=3)
    first, *_ = [await few.issue(seconds=60) for _ in range(3)]
    with pytest.raises(Unavailable, match="signing in") as refused:
        await few.issue(seconds=60)
    assert refused.value.headers == ((b"retry-after", b"60"),)
    await others.issue(seconds=60)
    assert await few.redeem(first), "those that are under way can end"
    await few.issue(seconds=60)
    async with database.begin() as connection:
        await connection.execute(update(tickets).values(expires_at=0))
    assert await few.issue(seconds=60), "what has run out does not count"
