"""What happens to invoices: draft → issued → paid or void. A number is given in the transaction that issues."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy import insert, select, update

from gateway.errors import InvalidRequest
from gateway.ids import Ids
from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.notices import notice, post
from gateway.store.upsert import insert_into
from gateway_invoices import ending
from gateway_invoices.carrying import take
from gateway_invoices.checks import conflict
from gateway_invoices.config import InvoicesConfig
from gateway_invoices.crediting import credit_note
from gateway_invoices.document import Document, digest, encoded
from gateway_invoices.drafting import Sources, entity_named, item_ids, make_document
from gateway_invoices.reading import Invoice, credit_notes_of, day_of, get_in_state, get_invoice
from gateway_invoices.tables import counters, customers, invoices, items

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.doors import Charges, Covers
    from gateway.store import Database

REVISION = "invoices"
CHANGED = "draft_changed"
"""The code of the error for a draft that is not what would be drafted now."""


class Drafts(NamedTuple):
    """What became of drafting for several tenants."""

    made: list[Invoice]
    failed: dict[str, str]
    """Why there is none, by tenant."""


class Book:
    """Writes invoices. All changes are put in one order by the revision, which each counts up first."""

    def __init__(
        self,
        database: Database,
        config: InvoicesConfig,
        charges: Callable[[], Charges],
        covers: Callable[[], Sequence[Covers]],
    ) -> None:
        """`charges`, and who may cover them, are asked for when an invoice is made."""
        self.database = database
        self.config = config
        self.charges = charges
        self.covers = covers
        self._ids = Ids()

    def _sources(self) -> Sources:
        return Sources(self.charges(), self.covers())

    async def draft(
        self,
        tenant: str,
        start: float,
        end: float,
        *,
        entity: str | None = None,
        issue_at: float | None = None,
        actor: Actor,
    ) -> Invoice:
        """Draft an invoice for a period of whole days in UTC; earlier drafts of the same period are discarded.

        Raises `InvalidRequest`: 409 without customer data and for a period that was invoiced, 404 for the entity.
        """
        _check_period(start, end)
        async with self.database.begin() as connection:
            revision = await bump(connection, REVISION)
            await _check_free(connection, tenant, start, end)
            document, _ = await make_document(
                connection, self.config, self._sources(), tenant, start, end, entity=entity
            )
            now = time.time()
            await connection.execute(
                update(invoices)
                .where(
                    invoices.c.tenant == tenant,
                    invoices.c.entity == document.entity,
                    invoices.c.status == "draft",
                    invoices.c.period_start == start,
                    invoices.c.period_end == end,
                )
                .values(status="void", voided_at=now, revision=revision)
            )
            return await self._drafted(connection, document, start, end, now, revision, issue_at, actor)

    async def draft_once(
        self, tenant: str, start: float, end: float, *, issue_at: float | None, actor: Actor
    ) -> Invoice | None:
        """Draft unless anything was ever drafted for exactly this period, it was invoiced, or there is nothing to ask for.

        Raises `InvalidRequest` as `draft` does.
        """
        async with self.database.begin() as connection:
            revision = await bump(connection, REVISION)
            query = select(invoices.c.id).where(
                invoices.c.tenant == tenant,
                invoices.c.kind == "invoice",
                invoices.c.period_start == start,
                invoices.c.period_end == end,
            )
            if (await connection.execute(query.limit(1))).first() is not None:
                return None
            if await _invoiced(connection, tenant, start, end) is not None:
                return None
            document, _ = await make_document(connection, self.config, self._sources(), tenant, start, end)
            if not document.lines:
                return None
            return await self._drafted(
                connection, document, start, end, time.time(), revision, issue_at, actor
            )

    async def draft_each(
        self, tenants: Sequence[str], start: float, end: float, *, entity: str | None = None, actor: Actor
    ) -> Drafts:
        """Draft for tenants; where none are named, for all with customer data that used something, and were not invoiced yet."""
        _check_period(start, end)
        drafts = Drafts([], {})
        for tenant in tenants or await self._customers():
            try:
                if tenants or await self._is_due(tenant, start, end, entity):
                    drafts.made.append(await self.draft(tenant, start, end, entity=entity, actor=actor))
            except InvalidRequest as error:
                drafts.failed[tenant] = error.message
        return drafts

    async def issue(self, name: str, *, actor: Actor) -> Invoice:
        """Give a draft its number; from then on nothing of it changes. Where nothing is to be paid, it is paid.

        One that comes to less than nothing is open until later ones have taken that off.

        Raises `InvalidRequest` (409) when the period has not ended or has calls that are running, when the draft is not
        what would be drafted now; 404 when there is none.
        """
        async with self.database.begin() as connection:
            revision = await bump(connection, REVISION)
            draft = await get_in_state(connection, name, "draft")
            await _check_free(connection, draft.tenant, draft.period_start, draft.period_end)
            now = time.time()
            if draft.period_end > now:
                raise conflict(
                    f"{name}: the period has not ended; it can be issued from {day_of(draft.period_end)} on."
                )
            document = draft.shown
            fresh, running = await make_document(
                connection,
                self.config,
                self._sources(),
                draft.tenant,
                draft.period_start,
                draft.period_end,
                entity=draft.entity,
                only=item_ids(document),
            )
            if running:
                raise conflict(f"{name}: {running} calls of the period are still running; try again later.")
            if fresh != document:
                raise InvalidRequest(
                    f"{name}: what it is made of has changed since; draft it again, and look at it.",
                    status=409,
                    code=CHANGED,
                )
            taken = update(items).where(items.c.id.in_(item_ids(document)), items.c.invoice.is_(None))
            if (await connection.execute(taken.values(invoice=draft.id))).rowcount != len(item_ids(document)):
                raise conflict(f"{name}: a line of it stands on another invoice; draft it again.")
            seller = entity_named(self.config, draft.entity)
            issued = await self._numbered(connection, document, seller.prefix, now)
            await self._issue(connection, draft.id, issued, now, revision)
            await take(connection, issued, now, revision)
            await record(
                connection, actor, "invoice.issue", draft.id, tenant=draft.tenant, after=_told(issued)
            )
            return await get_invoice(connection, draft.id)

    async def pay(self, name: str, *, actor: Actor) -> Invoice:
        """Note that an issued invoice was paid; of one below zero or a credit note, that what it leaves was given back.

        Raises `InvalidRequest`: 404, 409.
        """
        async with self.database.begin() as connection:
            return await ending.pay(connection, name, await bump(connection, REVISION), actor=actor)

    async def void(self, name: str, *, actor: Actor) -> Invoice:
        """Discard a draft, or void an issued invoice: its number stays, its period may be invoiced anew.

        One for which money has flowed, or that was credited in part, is corrected by credit notes. Raises `InvalidRequest`:
        404, 409.
        """
        async with self.database.begin() as connection:
            return await ending.void(connection, name, await bump(connection, REVISION), actor=actor)

    async def credit(self, name: str, *, amount: int | None = None, reason: str, actor: Actor) -> Invoice:
        """Issue a credit note for an invoice: for `amount` minor units, tax included, or all that is left.

        So much less is to be paid for it; what is beyond that is owed to the customer.

        Raises `InvalidRequest`: 404, 409 for one that is not issued or paid, 400 for more than is left.
        """
        async with self.database.begin() as connection:
            revision = await bump(connection, REVISION)
            of = await get_in_state(connection, name, "issued", "paid")
            if of.kind != "invoice":
                raise conflict(f"{name} is a credit note itself.")
            earlier = await credit_notes_of(connection, of.id)
            now = time.time()
            note = credit_note(of.shown, [one.shown for one in earlier], amount, reason, still_open=of.open)
            seller = entity_named(self.config, of.entity)
            issued = await self._numbered(connection, note, seller.credit_prefix, now)
            made = await self._insert(
                connection, issued, of.period_start, of.period_end, now, revision, of=of.id
            )
            await self._issue(connection, made, issued, now, revision)
            await ending.less_to_pay(connection, of, -note.total - note.owed, now, revision)
            told = {**_told(issued), "invoice": of.id}
            await post(connection, notice("credit_note", made, tenant=of.tenant, at=now, data=told))
            await record(connection, actor, "invoice.credit", made, tenant=of.tenant, after=_told(issued))
            return await get_invoice(connection, made)

    async def _customers(self) -> list[str]:
        async with self.database.connect() as connection:
            query = select(customers.c.tenant).order_by(customers.c.tenant)
            return [*(await connection.execute(query)).scalars()]

    async def _is_due(self, tenant: str, start: float, end: float, entity: str | None) -> bool:
        async with self.database.connect() as connection:
            if await _invoiced(connection, tenant, start, end) is not None:
                return False
            document, _ = await make_document(
                connection, self.config, self._sources(), tenant, start, end, entity=entity
            )
        return bool(document.lines)

    async def _numbered(
        self, connection: AsyncConnection, document: Document, prefix: str, now: float
    ) -> Document:
        """Count on: a transaction that is undone gives its number back, so there are no gaps."""
        value = (
            await connection.execute(
                insert_into(connection, counters)
                .values(prefix=prefix, entity=document.entity, value=1)
                .on_conflict_do_update(
                    index_elements=[counters.c.prefix],
                    set_={"value": counters.c.value + 1},
                    where=counters.c.entity == document.entity,
                )
                .returning(counters.c.value)
            )
        ).scalar_one_or_none()
        if value is None:
            raise conflict(
                f"The numbers that begin with {prefix!r} are another entity's; give this one its own."
            )
        day = datetime.fromtimestamp(now, UTC).date()
        due = ""
        if document.due:
            days = entity_named(self.config, document.entity).due_days
            due = (day + timedelta(days=days)).isoformat()
        return msgspec.structs.replace(
            document, number=f"{prefix}{value:06d}", issued_on=day.isoformat(), due_on=due
        )

    async def _drafted(
        self,
        connection: AsyncConnection,
        document: Document,
        start: float,
        end: float,
        now: float,
        revision: int,
        issue_at: float | None,
        actor: Actor,
    ) -> Invoice:
        made = await self._insert(connection, document, start, end, now, revision)
        if issue_at is not None:
            await connection.execute(update(invoices).where(invoices.c.id == made).values(issue_at=issue_at))
        await record(connection, actor, "invoice.draft", made, tenant=document.tenant, after=_told(document))
        return await get_invoice(connection, made)

    async def _insert(
        self,
        connection: AsyncConnection,
        document: Document,
        start: float,
        end: float,
        now: float,
        revision: int,
        *,
        of: str | None = None,
    ) -> str:
        made = f"ivc_{self._ids()}"
        await connection.execute(
            insert(invoices).values(
                id=made,
                tenant=document.tenant,
                entity=document.entity,
                kind=document.kind,
                status="draft",
                of=of,
                period_start=start,
                period_end=end,
                currency=document.currency,
                total=document.total,
                document=encoded(document),
                created_at=now,
                revision=revision,
            )
        )
        return made

    async def _issue(
        self, connection: AsyncConnection, id: str, document: Document, now: float, revision: int
    ) -> None:
        raw = encoded(document)
        still_open = document.due - document.owed
        await connection.execute(
            update(invoices)
            .where(invoices.c.id == id, invoices.c.status == "draft")
            .values(
                status="issued" if still_open else "paid",
                paid_at=None if still_open else now,
                open=still_open,
                number=document.number,
                document=raw,
                hash=digest(raw),
                issued_at=now,
                revision=revision,
            )
        )


async def _invoiced(connection: AsyncConnection, tenant: str, start: float, end: float) -> str | None:
    """The number of an invoice that has days of a period."""
    query = select(invoices.c.number).where(
        invoices.c.tenant == tenant,
        invoices.c.kind == "invoice",
        invoices.c.status.in_(("issued", "paid")),
        invoices.c.period_start < end,
        invoices.c.period_end > start,
    )
    return await connection.scalar(query.limit(1))


async def _check_free(connection: AsyncConnection, tenant: str, start: float, end: float) -> None:
    """No usage is asked for twice."""
    if (number := await _invoiced(connection, tenant, start, end)) is not None:
        raise conflict(f"Days of this period are on invoice {number}; void it first, or take others.")


def _told(document: Document) -> dict[str, Any]:
    """For the audit log, whose chain then vouches for the document; it names no person."""
    return {
        "number": document.number,
        "total": document.total,
        "currency": document.currency,
        "period": [document.period_start, document.period_end],
        "hash": digest(encoded(document)),
    }


def _check_period(start: float, end: float) -> None:
    if start % 86_400 or end % 86_400 or start >= end:
        raise InvalidRequest("A period begins and ends at midnight in UTC, and has a day at least.")
