"""Receipts are owed from the settlement on: whatever dies before one is made, it is made, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.ledger import Ledger
from gateway.sdk.receipts import verify
from gateway.store import Database
from gateway.store.migrate import check, upgrade
from gateway.testing.fakes import make_call
from gateway.types import Call, Outcome, Principal
from gateway_receipts.chain import issue, pay, receipts_of
from gateway_receipts.keys import Signer
from gateway_receipts.owing import Owing, Payer, count_owed
from gateway_receipts.plugin import MIGRATIONS

from .test_receipts import ASKED, KEY, ask, read, serving

SIGNER = Signer(KEY, ())


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await upgrade(database, [MIGRATIONS])
    yield database
    await database.close()


@pytest.fixture
async def settled(database: Database) -> AsyncIterator[Callable[..., asyncio.Future[None]]]:
    """Settles a call in the name of a worker that is killed before it makes a receipt."""
    ledger = Ledger(
        database, durability="settle", billing=[Owing(lambda call: call.principal.tenant == "acme")]
    )
    await ledger.start()

    def settle(call: Call, **outcome: object) -> asyncio.Future[None]:
        made = Outcome(**{"status": "success", "ended_at": time.time(), "charge": 5, **outcome})  # pyright: ignore[reportArgumentType] - of the test
        return ledger.close(call, made)

    yield settle
    await ledger.stop()


def a_call(tenant: str = "acme") -> Call:
    return make_call(principal=Principal(tenant=tenant, authenticator="test"))


async def kept(database: Database) -> list[str]:
    return [row.receipt async for row in receipts_of(database, "acme")]


async def test_what_a_killed_worker_owed_is_made_once_by_whoever_looks(
    database: Database, settled: Callable[..., asyncio.Future[None]]
) -> None:
    calls = [a_call() for _ in range(6)]
    for call in calls[:4]:
        await settled(call)
    await settled(calls[4], status="cancelled")  # and charged for what came
    await settled(calls[5], status="failed", charge=None)
    await settled(a_call("other"))
    assert await count_owed(database, "acme") == 5
    first = await issue(database, SIGNER, calls[2].id)
    workers = [Payer(database, SIGNER) for _ in range(3)]
    assert await workers[0].look(grace=60) == 0
    await asyncio.gather(*(worker.look(grace=0) for worker in workers))
    assert await count_owed(database, "acme") == 0
    made = await kept(database)
    assert verify(made, SIGNER.public, whole=True) is None
    assert sorted(read(each).call for each in made) == sorted(call.id for call in calls[:5])
    assert made[0] == first
    assert await issue(database, SIGNER, calls[2].id) == first


async def test_two_who_make_the_same_one_make_it_once(
    database: Database, settled: Callable[..., asyncio.Future[None]]
) -> None:
    call = a_call()
    await settled(call)
    given = await asyncio.gather(*(pay(database, SIGNER, call.id) for _ in range(5)))
    assert given == await kept(database) * 5
    assert await pay(database, SIGNER, "call_none") is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_migrations_make_the_tables(database: Database) -> None:
    assert await check(database, [MIGRATIONS]) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_running_gateway_makes_what_is_owed_and_shows_it(database_url: str) -> None:
    async with serving(database_url) as client:
        call = (await ask(client)).headers["x-gateway-receipt"]
    database = Database(database_url)
    ledger = Ledger(database, durability="settle", billing=[Owing(lambda _: True)])
    await ledger.start()
    owing = make_call(principal=Principal(tenant="default", authenticator="test"))
    await ledger.close(owing, Outcome(status="success", ended_at=time.time() - 60))
    await ledger.stop()
    async with serving(database_url) as client:
        async with asyncio.timeout(30):
            while await count_owed(database, "default"):
                await asyncio.sleep(0.02)
        second = (await ask(client, headers=ASKED)).headers["x-gateway-receipt"]
    await database.close()
    assert (read(call).number, read(second).number) == (1, 3)
