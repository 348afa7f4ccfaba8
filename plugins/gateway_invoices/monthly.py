"""Drafts for each month that has ended, made once by the running gateway, and issues them when their time has come."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import or_, select, update

from gateway.errors import GatewayError, InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.tables import usage_buckets
from gateway.store.upsert import insert_into
from gateway_invoices.book import CHANGED
from gateway_invoices.tables import customers, invoices, runs

if TYPE_CHECKING:
    from gateway_invoices.book import Book

log = logging.getLogger("gateway.plugin.billing.invoices")

CLOCK: Final = Actor(kind="gateway", id="billing.invoices")
"""Who drafts and issues."""
_PAUSE: Final = 60.0
_SETTLING: Final = 3600.0
"""Seconds after the end of a month for calls that began in it to end."""
_LEASE: Final = 600.0
_AGAIN: Final = 3600.0
"""Seconds after which a draft that could not be issued is looked at again."""
_DAY: Final = 86_400.0


class Monthly:
    """Works once a minute. Of several workers one drafts a month, for it holds a lease; whoever dies is followed by another."""

    def __init__(self, book: Book, issue_after_days: int | None, worker: str) -> None:
        self._book = book
        self._database = book.database
        self._issue_after = None if issue_after_days is None else issue_after_days * _DAY
        self._worker = worker
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run(), name="invoices: monthly")

    async def stop(self) -> None:
        """Stop working."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def work(self, now: float) -> None:
        """Do what is due at that moment: draft for each month that has ended, then issue. Raises `Unavailable`."""
        await self._begin(now)
        while (run := await self._take(now)) is not None:
            await self._draft(run, now)
        await self._issue(now)

    async def _run(self) -> None:
        while True:
            try:
                await self.work(time.time())
            except GatewayError as error:
                log.warning("invoices wait to be drafted: %s", error.message)
            except Exception:  # logged; the next round tries again
                log.exception("drafting invoices failed, trying again in %g s", _PAUSE)
            await asyncio.sleep(_PAUSE)

    async def _begin(self, now: float) -> None:
        """Note the present month, where no month was ever noted."""
        async with self._database.begin() as connection:
            if (await connection.execute(select(runs.c.period_start).limit(1))).first() is None:
                await connection.execute(
                    insert_into(connection, runs).values(_month(now)).on_conflict_do_nothing()
                )

    async def _take(self, now: float) -> Any:
        """Take the earliest month that has ended and is not done, unless another worker has it."""
        due = runs.c.done_at.is_(None), runs.c.period_end + _SETTLING <= now
        async with self._database.begin() as connection:
            run = (
                await connection.execute(select(runs).where(*due).order_by(runs.c.period_start).limit(1))
            ).first()
            if run is None:
                return None
            free = or_(runs.c.held_until <= now, runs.c.holder == self._worker)
            taken = update(runs).where(
                runs.c.period_start == run.period_start, runs.c.done_at.is_(None), free
            )
            held = await connection.execute(taken.values(holder=self._worker, held_until=now + _LEASE))
            return run if held.rowcount else None

    async def _draft(self, run: Any, now: float) -> None:
        start, end, began = run.period_start, run.period_end, time.monotonic()
        issue_at = None if self._issue_after is None else end + self._issue_after
        async with self._database.connect() as connection:
            query = select(customers.c.tenant).order_by(customers.c.tenant)
            tenants = [*(await connection.execute(query)).scalars()]
        for tenant in tenants:
            try:
                await self._book.draft_once(tenant, start, end, issue_at=issue_at, actor=CLOCK)
            except InvalidRequest as error:
                log.warning("no draft for %s: %s", tenant, error.message)
            await self._hold(start, now + (time.monotonic() - began))
        await self._done(start, end, tenants, now)

    async def _hold(self, start: float, now: float) -> None:
        mine = update(runs).where(runs.c.period_start == start, runs.c.holder == self._worker)
        async with self._database.begin() as connection:
            await connection.execute(mine.values(held_until=now + _LEASE))

    async def _done(self, start: float, end: float, tenants: Sequence[str], now: float) -> None:
        """Close the month and note the next one, in one transaction."""
        async with self._database.begin() as connection:
            bucket = usage_buckets.c
            used = (
                select(bucket.tenant)
                .distinct()
                .where(bucket.start >= start, bucket.start < end, bucket.charge > 0)
            )
            without = sorted({*(await connection.execute(used)).scalars()} - {*tenants})
            made = (
                select(invoices.c.tenant)
                .distinct()
                .where(
                    invoices.c.kind == "invoice",
                    invoices.c.period_start == start,
                    invoices.c.period_end == end,
                )
            )
            drafted = len((await connection.execute(made)).all())
            close = update(runs).where(runs.c.period_start == start, runs.c.done_at.is_(None))
            values = {"done_at": now, "drafted": drafted, "without_data": without}
            if not (await connection.execute(close.values(**values))).rowcount:
                return
            await connection.execute(
                insert_into(connection, runs).values(_month(end)).on_conflict_do_nothing()
            )
            after = {"drafted": drafted, "without_data": without[:20]}
            await record(
                connection,
                CLOCK,
                "invoice.run",
                f"{datetime.fromtimestamp(start, UTC):%Y-%m}",
                tenant="",
                after=after,
            )
        if without:
            log.warning(
                "%d tenants were charged and have no customer data: %s", len(without), ", ".join(without[:20])
            )

    async def _issue(self, now: float) -> None:
        query = (
            select(invoices)
            .where(invoices.c.status == "draft", invoices.c.issue_at <= now)
            .order_by(invoices.c.id)
        )
        async with self._database.connect() as connection:
            due = (await connection.execute(query)).all()
        for draft in due:
            try:
                await self._issue_one(draft)
            except InvalidRequest as error:
                log.warning("the draft %s of %s is not issued: %s", draft.id, draft.tenant, error.message)
                later = update(invoices).where(invoices.c.id == draft.id, invoices.c.status == "draft")
                async with self._database.begin() as connection:
                    await connection.execute(later.values(issue_at=now + _AGAIN))

    async def _issue_one(self, draft: Any) -> None:
        try:
            await self._book.issue(draft.id, actor=CLOCK)
        except InvalidRequest as error:
            if error.code != CHANGED:
                raise
            # A call ended late, or the customer moved: what is issued is what is right now.
            again = await self._book.draft(
                draft.tenant,
                draft.period_start,
                draft.period_end,
                entity=draft.entity,
                issue_at=draft.issue_at,
                actor=CLOCK,
            )
            await self._book.issue(again.id, actor=CLOCK)


def _month(moment: float) -> dict[str, Any]:
    """The month of a moment, as a run that nobody has begun."""
    first = datetime.fromtimestamp(moment, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + timedelta(days=32)).replace(day=1)
    return {
        "period_start": first.timestamp(),
        "period_end": after.timestamp(),
        "held_until": 0.0,
        "drafted": 0,
        "without_data": [],
    }
