"""`/invoices` of the admin API: a tenant's issued invoices; for operators, all of them, and what happens to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec import structs
from starlette.responses import Response

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Page, PageQuery, Query
from gateway.errors import InvalidRequest
from gateway_invoices.book import Book
from gateway_invoices.currency import decimal, minor_units
from gateway_invoices.customers import Customer, read_customer, set_customer
from gateway_invoices.exporting import MEDIA, Exporter, Format
from gateway_invoices.reading import Invoice, list_invoices, read_invoice
from gateway_invoices.runs import Run, list_outcomes, list_runs
from gateway_invoices.shapes import (
    AllQuery,
    CustomerData,
    CustomerShown,
    DownloadQuery,
    InvoiceShown,
    NewCredit,
    NewDraft,
    OutcomeShown,
    RunShown,
)


class _Resource:
    def __init__(self, book: Book, exporter: Exporter) -> None:
        self._book = book
        self._exporter = exporter

    async def list(self, request: AdminRequest[PageQuery, None]) -> Page[InvoiceShown]:
        """List what the tenant was sent."""
        return await self._page(request, request.tenant, None, sent=True)

    async def show(self, request: AdminRequest[Query, None]) -> InvoiceShown:
        """Show one."""
        return _shown(await self._sent(request))

    async def download(self, request: AdminRequest[DownloadQuery, None]) -> Response:
        """Write one."""
        return self._file(await self._sent(request), request.query.format)

    async def customer(self, request: AdminRequest[Query, None]) -> CustomerShown:
        """Show the tenant's customer data."""
        found = await read_customer(request.database, request.tenant)
        if found is None:
            raise InvalidRequest("There is no customer data yet.", status=404, code="not_found")
        return _customer(found)

    async def set_customer(self, request: AdminRequest[Query, CustomerData]) -> CustomerShown:
        """Write it."""
        before = await read_customer(request.database, request.tenant)
        fields = request.body.model_dump()
        fields["address"] = tuple(fields["address"])
        customer = Customer(**fields, entity=None if before is None else before.entity)
        await set_customer(request.database, request.tenant, customer, actor=request.actor)
        return _customer(customer)

    async def list_all(self, request: AdminRequest[AllQuery, None]) -> Page[InvoiceShown]:
        """List those of all tenants."""
        return await self._page(request, request.query.customer, request.query.status, sent=False)

    async def list_runs(self, request: AdminRequest[PageQuery, None]) -> Page[RunShown]:
        """List the months that the gateway drafts."""
        start, limit = after(request.query.cursor, tuple[str]), request.query.limit
        before = None if start is None else start[0]
        rows, cursor = page(
            await list_runs(request.database, before=before, limit=limit + 1), limit, lambda row: (row.month,)
        )
        return Page[RunShown](data=[_run(row) for row in rows], next_cursor=cursor)

    async def list_outcomes(self, request: AdminRequest[PageQuery, None]) -> Page[OutcomeShown]:
        """List what became of the tenants in a month."""
        start, limit = after(request.query.cursor, tuple[str]), request.query.limit
        last = None if start is None else start[0]
        found = await list_outcomes(request.database, request.path["month"], after=last, limit=limit + 1)
        rows, cursor = page(found, limit, lambda row: (row.tenant,))
        data = [OutcomeShown.model_validate(structs.asdict(row)) for row in rows]
        return Page[OutcomeShown](data=data, next_cursor=cursor)

    async def download_any(self, request: AdminRequest[DownloadQuery, None]) -> Response:
        """Write any."""
        return self._file(await read_invoice(request.database, request.path["id"]), request.query.format)

    async def draft(self, request: AdminRequest[Query, NewDraft]) -> InvoiceShown:
        """Draft one."""
        new = request.body
        start, end = _midnight(new.first_day, "first_day"), _midnight(new.last_day, "last_day") + 86_400
        return _shown(await self._book.draft(new.tenant, start, end, entity=new.entity, actor=request.actor))

    async def issue(self, request: AdminRequest[Query, None]) -> InvoiceShown:
        """Issue a draft."""
        return _shown(await self._book.issue(request.path["id"], actor=request.actor))

    async def pay(self, request: AdminRequest[Query, None]) -> InvoiceShown:
        """Note that one was paid."""
        return _shown(await self._book.pay(request.path["id"], actor=request.actor))

    async def void(self, request: AdminRequest[Query, None]) -> InvoiceShown:
        """Void one."""
        return _shown(await self._book.void(request.path["id"], actor=request.actor))

    async def credit(self, request: AdminRequest[Query, NewCredit]) -> InvoiceShown:
        """Issue a credit note."""
        id_, asked = request.path["id"], request.body
        amount = None
        if asked.amount is not None:
            of = await read_invoice(request.database, id_)
            try:
                amount = minor_units(Decimal(asked.amount), of.currency)
            except ValueError as error:
                raise InvalidRequest(f"{error}.", param="amount") from error
        return _shown(await self._book.credit(id_, amount=amount, reason=asked.reason, actor=request.actor))

    async def _sent(self, request: AdminRequest[Any, None]) -> Invoice:
        """One of the tenant's that was issued: drafts are the operator's."""
        found = await read_invoice(request.database, request.path["id"], tenant=request.tenant)
        if found.number is None:
            raise InvalidRequest(f"There is no invoice {request.path['id']!r}.", status=404, code="not_found")
        return found

    async def _page(
        self, request: AdminRequest[Any, None], tenant: str | None, status: str | None, *, sent: bool
    ) -> Page[InvoiceShown]:
        start, limit = after(request.query.cursor, tuple[str]), request.query.limit
        rows = await list_invoices(
            request.database,
            tenant,
            after=None if start is None else start[0],
            limit=limit + 1,
            status=status,
            numbered=sent,
        )
        rows, cursor = page(rows, limit, lambda row: (row.id,))
        return Page[InvoiceShown](data=[_shown(row) for row in rows], next_cursor=cursor)

    def _file(self, invoice: Invoice, form: Format) -> Response:
        headers = {
            "content-disposition": f'attachment; filename="{invoice.name}.{form}"',
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
            "x-content-type-options": "nosniff",
        }
        return Response(self._exporter.export(invoice, form), media_type=MEDIA[form], headers=headers)


def _shown(invoice: Invoice) -> InvoiceShown:
    document = invoice.shown
    tax = 0 if document.tax is None else document.tax.amount
    amounts = (document.net, tax, document.total, document.due, invoice.open)
    net, taxed, total, due, still_open = (f"{decimal(amount, document.currency):f}" for amount in amounts)
    return InvoiceShown.model_validate(
        {
            "id": invoice.id,
            "number": invoice.number,
            "kind": invoice.kind,
            "status": invoice.status,
            "tenant": invoice.tenant,
            "entity": invoice.entity,
            "period_start": document.period_start,
            "period_end": document.period_end,
            "issued_on": document.issued_on or None,
            "due_on": document.due_on or None,
            "currency": document.currency,
            "net": net,
            "tax": taxed,
            "total": total,
            "due": due,
            "open": still_open,
            "hash": invoice.hash,
        }
    )


def _run(run: Run) -> RunShown:
    counted = {"failed": len(run.failed), "without_data": len(run.without_data)}
    return RunShown.model_validate(structs.asdict(run) | counted)


def _customer(customer: Customer) -> CustomerShown:
    return CustomerShown(
        name=customer.name,
        address=[*customer.address],
        country=customer.country,
        region=customer.region,
        tax_id=customer.tax_id,
        email=customer.email,
        language="ja" if customer.language == "ja" else "en",
    )


def _midnight(day: str, name: str) -> float:
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise InvalidRequest(f"{name}: there is no day {day}.", param=name) from error


def endpoints(book: Book, exporter: Exporter) -> Sequence[Endpoint]:
    """Declare the endpoints on a book."""
    resource = _Resource(book, exporter)
    read, manage, operate = "billing.read", "billing.manage", "gateway.billing"
    invoice = InvoiceShown
    return (
        Endpoint(
            method="GET",
            path="/invoices",
            permission=read,
            handler=resource.list,
            summary="List the tenant's invoices and credit notes, newest first",
            query=PageQuery,
            answer=Page[InvoiceShown],
        ),
        Endpoint(
            method="GET",
            path="/invoices/{id}",
            permission=read,
            handler=resource.show,
            summary="Show an invoice by its number or id",
            answer=invoice,
        ),
        Endpoint(
            method="GET",
            path="/invoices/{id}/file",
            permission=read,
            handler=resource.download,
            summary="Download an invoice as PDF, HTML, CSV or JSON",
            query=DownloadQuery,
            media="*/*",
        ),
        Endpoint(
            method="GET",
            path="/invoice-customer",
            permission=read,
            handler=resource.customer,
            summary="Show to whom the tenant's invoices go",
            answer=CustomerShown,
        ),
        Endpoint(
            method="PUT",
            path="/invoice-customer",
            permission=manage,
            handler=resource.set_customer,
            summary="Say to whom the tenant's invoices go",
            body=CustomerData,
            answer=CustomerShown,
            versioned=False,
        ),
        Endpoint(
            method="GET",
            path="/all-invoices",
            permission=operate,
            handler=resource.list_all,
            summary="List the invoices and drafts of all tenants, newest first",
            query=AllQuery,
            answer=Page[InvoiceShown],
        ),
        Endpoint(
            method="GET",
            path="/invoice-runs",
            permission=operate,
            handler=resource.list_runs,
            summary="List the months that the gateway drafts by itself, newest first",
            query=PageQuery,
            answer=Page[RunShown],
        ),
        Endpoint(
            method="GET",
            path="/invoice-runs/{month}",
            permission=operate,
            handler=resource.list_outcomes,
            summary="List what became of each tenant in a month that the gateway drafted",
            query=PageQuery,
            answer=Page[OutcomeShown],
        ),
        Endpoint(
            method="POST",
            path="/all-invoices",
            permission=operate,
            handler=resource.draft,
            summary="Draft an invoice",
            body=NewDraft,
            answer=invoice,
        ),
        Endpoint(
            method="GET",
            path="/all-invoices/{id}/file",
            permission=operate,
            handler=resource.download_any,
            summary="Download any invoice or draft",
            query=DownloadQuery,
            media="*/*",
        ),
        *(
            Endpoint(
                method="POST",
                path=f"/all-invoices/{{id}}/{verb}",
                permission=operate,
                handler=handler,
                summary=summary,
                answer=invoice,
                status=200,
            )
            for verb, handler, summary in (
                ("issue", resource.issue, "Issue a draft: it gets its number"),
                ("pay", resource.pay, "Note that an invoice was paid"),
                ("void", resource.void, "Void an invoice, or discard a draft"),
            )
        ),
        Endpoint(
            method="POST",
            path="/all-invoices/{id}/credit",
            permission=operate,
            handler=resource.credit,
            summary="Issue a credit note for an invoice",
            body=NewCredit,
            answer=invoice,
        ),
    )
