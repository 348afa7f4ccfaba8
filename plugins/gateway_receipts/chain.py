"""Each account's receipts, one after the other, in the database that all workers share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, insert, select, update

from gateway.errors import Unavailable
from gateway.sdk.receipts import Facts, encode, hash_of
from gateway.store.calls import as_record, get_call
from gateway.store.random_ids import new_id
from gateway.store.tables import model_calls
from gateway.store.upsert import insert_into
from gateway_receipts.tables import chains, owed, receipts

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database
    from gateway_receipts.keys import Signer

_PATIENCE: Final = 5.0
_FIRST_LOOK: Final = 0.001
_LONGEST: Final = 0.05
"""Seconds until the settlement is looked for again: a commit takes a few milliseconds."""
_PAGE: Final = 500


async def issue(database: Database, signer: Signer, call: str) -> str:
    """Give the receipt of a call that has ended, as the next of its account; it is durable when this returns.

    It says what the ledger holds, so it waits until the settlement is durable. Raises `Unavailable` where that takes
    longer than 5 seconds, and where none is owed.
    """
    await _settled(database, call)
    receipt = await pay(database, signer, call)
    if receipt is None:
        raise Unavailable("The ledger owes no receipt for the call: another worker has settled it.")
    return receipt


async def pay(database: Database, signer: Signer, call: str) -> str | None:
    """Make the receipt that is owed for a call, or give the one that was made; None where none is owed.

    Once for each call, whoever else does so, as what is owed goes in the same transaction. Raises `Unavailable`.
    """
    async with database.begin() as connection:
        owes = await connection.execute(delete(owed).where(owed.c.call == call))
        if owes.rowcount == 0:
            return await connection.scalar(select(receipts.c.receipt).where(receipts.c.call == call))
        found = await connection.execute(select(model_calls).where(model_calls.c.id == call))
        if (row := found.one_or_none()) is None:  # deleted: nothing is left to be told
            return None
        chain = await _next(connection, row.tenant)
        facts = facts_of(row, account=chain.account, number=chain.number, previous=chain.hash)
        receipt = signer.sign(encode(facts))
        await connection.execute(
            insert(receipts).values(call=call, tenant=row.tenant, number=chain.number, receipt=receipt)
        )
        head = update(chains).where(chains.c.tenant == row.tenant).values(hash=hash_of(receipt))
        await connection.execute(head)
    return receipt


async def _settled(database: Database, call: str) -> None:
    pause = _FIRST_LOOK
    try:
        async with asyncio.timeout(_PATIENCE):
            while (row := await get_call(database, call)) is None or row.status == "processing":
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST)
    except TimeoutError:
        raise Unavailable("The ledger has not settled the call in time for a receipt.") from None


async def _next(connection: AsyncConnection, tenant: str) -> Row[str, int, str | None]:
    """Take the next number of a chain; its row stays locked until the transaction ends, so workers come in turn."""
    take = (
        update(chains)
        .where(chains.c.tenant == tenant)
        .values(number=chains.c.number + 1)
        .returning(chains.c.account, chains.c.number, chains.c.hash)
    )
    taken = (await connection.execute(take)).one_or_none()
    if taken is None:
        first = insert_into(connection, chains).values(
            tenant=tenant, account=new_id("acct_"), number=0, hash=None
        )
        await connection.execute(first.on_conflict_do_nothing())
        taken = (await connection.execute(take)).one()
    return taken


def facts_of(row: Row[Any], *, account: str, number: int, previous: str | None) -> Facts:
    """What a receipt says of a row of `model_calls`."""
    record = as_record(row)
    names = (
        "prompt_tokens",
        "completion_tokens",
        "cached_read_tokens",
        "cached_write_tokens",
        "reasoning_tokens",
    )
    usage = {name: record[name] for name in names if record[name]}
    units: dict[str, Any] = record["units"] or {}
    usage |= {name: str(value) if isinstance(value, float) else value for name, value in units.items()}
    return Facts(
        account=account,
        number=number,
        previous=previous,
        call=row.id,
        request=row.request_id,
        model=row.model,
        provider=row.provider,
        upstream_model=row.upstream_model,
        usage=usage,
        estimated=bool(row.estimated),
        price_version=row.price_version,
        charge=None if row.charge is None else str(row.charge),
        received_at=record["received_at"],
        ended_at=record["ended_at"],
    )


async def chain_of(database: Database, tenant: str) -> Row[Any] | None:
    """The end of a tenant's chain, or None where it has none. Raises `Unavailable`."""
    async with database.connect() as connection:
        return (await connection.execute(select(chains).where(chains.c.tenant == tenant))).one_or_none()


async def receipts_of(database: Database, tenant: str) -> AsyncGenerator[Row[Any]]:
    """A tenant's receipts in their order: `call`, `number`, `receipt`. Raises `Unavailable`."""
    last = 0
    while True:
        query = (
            select(receipts)
            .where(receipts.c.tenant == tenant, receipts.c.number > last)
            .order_by(receipts.c.number)
            .limit(_PAGE)
        )
        async with database.connect() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            yield row
        if len(rows) < _PAGE:
            return
        last = rows[-1].number
