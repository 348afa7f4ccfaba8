"""Makes the document of an invoice, from the ledger, what was added, and the customer's data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from gateway.errors import InvalidRequest
from gateway_invoices.carrying import carried_over
from gateway_invoices.config import Entity, InvoicesConfig
from gateway_invoices.customers import find_customer
from gateway_invoices.document import Document, Line, Party, Quantity
from gateway_invoices.tables import items
from gateway_invoices.totals import total
from gateway_invoices.usage import fee_line, used

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.doors import Charges, Covers, Fee


class Sources(NamedTuple):
    """Where it is from."""

    charges: Charges
    covers: Sequence[Covers]


async def make_document(
    connection: AsyncConnection,
    config: InvoicesConfig,
    sources: Sources,
    tenant: str,
    start: float,
    end: float,
    *,
    entity: str | None = None,
    only: Collection[str] | None = None,
) -> tuple[Document, int]:
    """The document of a draft, and how many calls of the period are still running.

    `only` names the added lines that it takes; unless given, it takes all that wait. Raises `InvalidRequest`: 409 when
    there is no customer data, or a plan is sold in another currency, 404 for an entity that is not in the config.
    """
    customer = await find_customer(connection, tenant)
    if customer is None:
        raise InvalidRequest(
            f"Tenant {tenant!r} has no customer data: set it with `gateway invoices customer {tenant} --name … --address … --country …`.",
            status=409,
            code="no_customer",
        )
    name = entity or customer.entity or next(iter(config.entities))
    seller = entity_named(config, name)
    usage = await used(connection, sources.charges, tenant, start, end, sources.covers)
    fees = [_fee(fee, seller) for fee in usage.fees]
    lines = [*fees, *usage.lines, *await _added(connection, tenant, seller.currency, only)]
    last = datetime.fromtimestamp(end - 1, UTC).date()
    party = customer.party
    sums = total(seller, party, lines, last)
    document = Document(
        entity=name,
        tenant=tenant,
        seller=Party(
            name=seller.name,
            address=seller.address,
            country=seller.country,
            tax_id=seller.tax_id,
            email=seller.email,
        ),
        customer=party,
        language=customer.language,
        payment=seller.payment,
        currency=seller.currency,
        credit_price=f"{seller.credit_price.normalize():f}",
        rounding=seller.rounding,
        inclusive=seller.inclusive,
        period_start=datetime.fromtimestamp(start, UTC).date().isoformat(),
        period_end=last.isoformat(),
        lines=sums.lines,
        net=sums.net,
        tax=sums.tax,
        total=sums.total,
        carried=await carried_over(connection, tenant, name, seller.currency, sums.total),
        unpriced_calls=usage.unpriced,
        terms=tuple(each.terms() for each in sources.covers),
    )
    return document, usage.running


def entity_named(config: InvoicesConfig, name: str) -> Entity:
    """An entity of the config. Raises `InvalidRequest` (404)."""
    if (found := config.entities.get(name)) is None:
        known = ", ".join(config.entities)
        raise InvalidRequest(
            f"There is no entity {name!r}; the config has {known}.", status=404, code="not_found"
        )
    return found


def _fee(fee: Fee, seller: Entity) -> Line:
    if fee.currency != seller.currency:
        raise InvalidRequest(
            f"The plan {fee.plan!r} is sold in {fee.currency}, and {seller.name!r} invoices in {seller.currency}:"
            " give the customer an entity of that currency.",
            status=409,
            code="conflict",
        )
    return fee_line(fee)


def item_ids(document: Document) -> list[str]:
    """The added lines on a document."""
    return [line.item for line in document.lines if line.item is not None]


async def _added(
    connection: AsyncConnection, tenant: str, currency: str, only: Collection[str] | None
) -> Sequence[Line]:
    query = select(items).where(items.c.tenant == tenant, items.c.currency == currency)
    query = query.where(items.c.invoice.is_(None) if only is None else items.c.id.in_(only))
    rows = await connection.execute(query.order_by(items.c.created_at, items.c.id))
    return [_line(row) for row in rows]


def _line(row: Any) -> Line:
    return Line(
        kind=row.kind,
        text=row.text,
        quantities=(Quantity("", row.quantity),),
        unit_price=row.unit_price,
        item=row.id,
    )
