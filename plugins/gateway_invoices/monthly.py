"""Drafts for each month that has ended, made once by the running gateway, and issues them when their time has come."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, or_, select, update

from gateway.errors import InvalidRequest, Unavailable
from gateway.rounds import Rounds
from gateway.store.audit import Actor, record
from gateway.store.notices import notice, post
from gateway.store.tables import usage_buckets
from gateway.store.upsert import insert_into
from gateway_invoices.book import CHANGED
from gateway_invoices.runs import month_of
from gateway_invoices.tables import customers, invoices, outcomes, runs

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

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
_SHOWN: Final = 20
"""Tenants that are named one by one in the audit log and in events."""
_LACKING: Final = "There is no customer data: set it, and draft the month by hand."


class Monthly(Rounds):
    """Works once a minute. Of several workers one drafts a month, for it holds a lease; whoever dies is followed by another."""

    def __init__(
        self, book: Book, issue_after_days: int | None, worker: str, *, operator_tenant: str
    ) -> None:
        """`operator_tenant` is told of what happens."""
        super().__init__("invoices: monthly", pause=_PAUSE, log=log)
        self._book = book
        self._database = book.database
        self._issue_after = None if issue_after_days is None else issue_after_days * _DAY
        self._worker = worker
        self._operator = operator_tenant

    async def go_round(self) -> None:
        """Do what is due now. Raises `Unavailable`."""
        await self.work(time.time())

    async def work(self, now: float) -> None:
        """Do what is due at that moment: draft for each month that has ended, then issue. Raises `Unavailable`."""
        await self._begin(now)
        while (run := await self._take(now)) is not None:
            await self._draft(run, now)
        await self._issue(now)

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
        began = time.monotonic()
        async with self._database.connect() as connection:
            query = select(customers.c.tenant).order_by(customers.c.tenant)
            tenants = [*(await connection.execute(query)).scalars()]
        failed: dict[str, str] = {}
        try:
            for tenant in tenants:
                if problem := await self._draft_one(run, tenant):
                    failed[tenant] = problem
                await self._hold(run.period_start, now + (time.monotonic() - began))
            await self._done(run.period_start, run.period_end, tenants, failed, now)
        except Unavailable:
            raise
        except Exception as error:
            await self._stopped(run.period_start, f"{type(error).__name__}: {error}", now)
            raise

    async def _draft_one(self, run: Any, tenant: str) -> str | None:
        """Draft for a tenant; return why that cannot be."""
        issue_at = None if self._issue_after is None else run.period_end + self._issue_after
        try:
            await self._book.draft_once(
                tenant, run.period_start, run.period_end, issue_at=issue_at, actor=CLOCK
            )
        except InvalidRequest as error:
            log.warning("no draft for %s: %s", tenant, error.message)
            return error.message
        return None

    async def _stopped(self, start: float, error: str, now: float) -> None:
        """Note what stopped a run, which is tried again; it is told of once."""
        async with self._database.begin() as connection:
            await connection.execute(update(runs).where(runs.c.period_start == start).values(error=error))
            await self._tell(connection, start, error, state="failed", at=now, error=error)

    async def _tell(
        self, connection: AsyncConnection, start: float, *of: object, state: str, at: float, **more: Any
    ) -> None:
        """Let sinks hear of a run; drafts are the operator's."""
        month = month_of(start)
        nothing: dict[str, Any] = {"drafted": 0, "failed": [], "without_data": []}
        told = {"month": month, "state": state, **nothing, **more}
        made = notice("invoice_run", month, state, *of, tenant=self._operator, at=at, data=told)
        await post(connection, made)

    async def _hold(self, start: float, now: float) -> None:
        mine = update(runs).where(runs.c.period_start == start, runs.c.holder == self._worker)
        async with self._database.begin() as connection:
            await connection.execute(mine.values(held_until=now + _LEASE))

    async def _done(
        self, start: float, end: float, tenants: Sequence[str], failed: Mapping[str, str], now: float
    ) -> None:
        """Close the month, note what became of each tenant, tell of it, and note the next month: in one transaction."""
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
            drafted = {*(await connection.execute(made)).scalars()}
            close = update(runs).where(runs.c.period_start == start, runs.c.done_at.is_(None))
            values = {"done_at": now, "drafted": len(drafted), "error": None}
            if not (await connection.execute(close.values(**values))).rowcount:
                return
            missing = {tenant: problem for tenant, problem in failed.items() if tenant not in drafted}
            rows = [
                *({"tenant": tenant, "state": "drafted", "error": None} for tenant in sorted(drafted)),
                *({"tenant": tenant, "state": "failed", "error": why} for tenant, why in missing.items()),
                *({"tenant": tenant, "state": "without_data", "error": _LACKING} for tenant in without),
            ]
            if rows:
                await connection.execute(insert(outcomes), [{"period_start": start, **row} for row in rows])
            await connection.execute(
                insert_into(connection, runs).values(_month(end)).on_conflict_do_nothing()
            )
            after = {
                "drafted": len(drafted),
                "failed": [{"tenant": tenant, "error": why} for tenant, why in missing.items()][:_SHOWN],
                "without_data": without[:_SHOWN],
            }
            state = "failed" if missing or without else "drafted"
            await self._tell(connection, start, "done", state=state, at=now, **after)
            await record(connection, CLOCK, "invoice.run", month_of(start), tenant="", after=after)
        if without:
            log.warning(
                "%d tenants were charged and have no customer data: %s",
                len(without),
                ", ".join(without[:_SHOWN]),
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
                await self._not_issued(draft, error.message, now)

    async def _not_issued(self, draft: Any, error: str, now: float) -> None:
        """Note why, tell of it once, and try again later."""
        log.warning("the draft %s of %s is not issued: %s", draft.id, draft.tenant, error)
        later = update(invoices).where(invoices.c.id == draft.id, invoices.c.status == "draft")
        mine = (outcomes.c.period_start == draft.period_start, outcomes.c.tenant == draft.tenant)
        failed = [{"tenant": draft.tenant, "error": error}]
        async with self._database.begin() as connection:
            await connection.execute(later.values(issue_at=now + _AGAIN))
            await connection.execute(update(outcomes).where(*mine).values(error=error))
            start = draft.period_start
            await self._tell(
                connection, start, draft.tenant, error, state="not_issued", at=now, failed=failed
            )

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
    }
