"""The tables are those that the migration makes, and all of it works on PostgreSQL too."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from gateway.store import Database
from gateway.store.migrate import upgrade
from gateway_stripe.plugin import MIGRATIONS
from gateway_stripe.tables import metadata

from ... import scratch
from .fake import FakeStripe
from .shop import Shop, open_shop


async def test_the_migration_makes_the_tables(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    assert await upgrade(database, [MIGRATIONS])

    def differences(connection: Connection) -> list[object]:
        def ours(_object: object, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:
            return kind != "table" or name in metadata.tables

        options = {"compare_type": True, "include_object": ours}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with database.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def each(request: pytest.FixtureRequest, stripe: FakeStripe) -> Generator[Shop]:
    """A shop on each database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("shop")
        return
    with scratch.postgres() as url, open_shop(stripe, url) as shop:
        yield shop


def test_everything_at_once(each: Shop) -> None:
    """Of a payment, its refund and its dispute several events at a time, and several couriers: each counts once."""
    shop, tenant = each, each.tenant()
    session = shop.stripe.pay(shop.session(shop.order(tenant))["id"])
    shop.stripe.refund(session["payment_intent"], 100)
    dispute = shop.stripe.dispute(session["payment_intent"], 200)

    async def tell() -> None:
        payments, reversals = shop.office.payments, shop.office.reversals
        await asyncio.gather(
            *(payments.settle(session["id"]) for _ in range(4)),
            *(reversals.refunds_of(session["payment_intent"]) for _ in range(4)),
            *(reversals.dispute(dispute["id"]) for _ in range(4)),
        )

    shop.run(tell)
    assert shop.balance(tenant) == 7
    dispute["status"] = "won"
    shop.run(tell)
    assert shop.balance(tenant) == 9
    ended = datetime.now(UTC).isoformat()
    records = [
        {"id": f"call_{tenant}_{n}", "tenant": tenant, "charge_nano": 700, "ended_at": ended}
        for n in range(20)
    ]

    async def claim() -> None:
        metering = shop.office.metering
        assert metering is not None
        await asyncio.gather(*(metering.deliver(records) for _ in range(8)))

    shop.run(claim)
    assert shop.stripe.units(session["customer"]) == 14
