"""Proves an invoice: that it is what was issued, that it adds up, and that the ledger says the same."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from gateway.types import NANO
from gateway_invoices.balancing import balance_problems
from gateway_invoices.config import Entity, TaxRate
from gateway_invoices.currency import decimal
from gateway_invoices.document import Document, Line, TaxLine, decoded, digest
from gateway_invoices.reading import Invoice, get_invoice
from gateway_invoices.totals import total
from gateway_invoices.usage import fee_line, sums_by_model, used

if TYPE_CHECKING:
    from gateway.doors import Fee
    from gateway_invoices.book import Book


async def verify(book: Book, name: str) -> list[str]:
    """What is wrong with an invoice, the worst first; nothing when it is right.

    All is recomputed from what the invoice itself says and the ledger: today's config, plans and prices do not matter. Where
    today's price book knows the rates that made the charges, quantities are compared for each, and else calls and sums.
    Raises `InvalidRequest` (404), `Unavailable`.
    """
    async with book.database.connect() as connection:
        invoice = await get_invoice(connection, name)
        problems = _as_issued(invoice)
        document = decoded(invoice.document)
        problems += _sums(document)
        if invoice.kind == "invoice":
            usage = await used(
                connection,
                book.charges(),
                invoice.tenant,
                invoice.period_start,
                invoice.period_end,
                book.covers(),
                document.terms or (),
            )
            problems += _differences(document, usage.lines)
            problems += _fees(document, usage.fees)
        problems += await balance_problems(connection, invoice)
    problems += _rates(document)
    return problems


def _as_issued(invoice: Invoice) -> list[str]:
    if invoice.hash is not None and digest(invoice.document) != invoice.hash:
        return ["it was changed after it was issued: its hash is another"]
    document = invoice.shown
    if (document.number or None, document.total) != (invoice.number, invoice.total):
        return ["its number or total is another than on the document"]
    return []


def _sums(document: Document) -> list[str]:
    problems: list[str] = []
    tax = 0 if document.tax is None else document.tax.amount
    if document.net + tax != document.total:
        problems.append("net and tax do not come to the total")
    asked = document.total if document.inclusive and not _reversed(document) else document.net
    if sum(line.amount for line in document.lines) != asked:
        problems.append("the lines do not come to the sum")
    if document.kind == "invoice":
        sums = total(
            _entity(document), document.customer, document.lines, date.fromisoformat(document.period_end)
        )
        if (sums.lines, sums.net, sums.tax, sums.total) != (
            document.lines,
            document.net,
            document.tax,
            document.total,
        ):
            again = decimal(sums.total, document.currency)
            problems.append(f"worked out again, it comes to {again} {document.currency}")
    return problems


def _rates(document: Document) -> list[str]:
    """Lines whose quantity at their rate is not what they ask: rounding may change each call by less than a nano-credit."""
    problems: list[str] = []
    calls = sums_by_model(document.lines)
    for line in document.lines:
        if line.rate is None or line.credits is None:
            continue
        exact = Fraction(line.quantities[0].amount) * Fraction(line.rate) * NANO / line.per
        _, most = calls[line.provider, line.text]
        if abs(exact - line.credits) > 1 + Fraction(most) * (1 + Fraction(abs(line.credits), NANO)):
            problems.append(f"{_title(line)}: {line.quantities[0].amount} at {line.rate} is not what it asks")
    return problems


def _differences(document: Document, lines: tuple[Line, ...]) -> list[str]:
    """Where ledger and invoice differ: model by model, and line by line where the ledger's rates are known today."""
    asked, found = sums_by_model(document.lines), sums_by_model(lines)
    problems: list[str] = []
    for key in sorted(asked.keys() | found.keys()):
        ours, ledger = asked.get(key), found.get(key)
        title = "/".join(filter(None, key)) or "repricing"
        if ours is None or ledger is None:
            problems.append(f"{title} is {'not on the invoice' if ours is None else 'not in the ledger'}")
        elif ours[0] != ledger[0]:
            problems.append(f"{title}: {ours[0]} nano-credits on the invoice, {ledger[0]} in the ledger")
        elif ours[1] != ledger[1]:
            problems.append(f"{title}: {ours[1]} calls on the invoice, {ledger[1]} in the ledger")
    if problems:
        return problems
    counted = {_place(line): line.quantities[0].amount for line in lines if line.rate is not None}
    for line in document.lines:
        if line.rate is None:
            continue
        amount = line.quantities[0].amount
        if counted.get(_place(line), amount) != amount:
            problems.append(f"{_title(line)}: {amount} on the invoice, {counted[_place(line)]} in the ledger")
    return problems


def _fees(document: Document, fees: tuple[Fee, ...]) -> list[str]:
    """Where what is asked for plans is not what subscriptions say; lines that somebody added are on their own."""
    asked = [
        (line.text, line.detail, line.unit_price)
        for line in document.lines
        if line.kind == "fee" and line.item is None
    ]
    found = [(line.text, line.detail, line.unit_price) for line in map(fee_line, fees)]
    return [] if sorted(asked) == sorted(found) else ["what it asks for plans is not what subscriptions say"]


def _place(line: Line) -> tuple[str, ...]:
    return line.provider, line.text, line.quantities[0].unit, line.detail, line.rate or ""


def _title(line: Line) -> str:
    model = "/".join(filter(None, (line.provider, line.text)))
    return " ".join(filter(None, (model, line.quantities[0].unit, line.detail)))


def _reversed(document: Document) -> bool:
    return document.tax is not None and document.tax.reverse_charge


def _entity(document: Document) -> Entity:
    """The rules by which it was made, from the document alone."""
    tax = document.tax
    taxes = () if tax is None else (_rate(tax, document.customer.country),)
    return Entity.model_validate(
        {
            "name": document.seller.name,
            "address": document.seller.address,
            "country": document.seller.country,
            "currency": document.currency,
            "credit_price": document.credit_price,
            "rounding": document.rounding,
            "inclusive": document.inclusive,
            "taxes": taxes,
        }
    )


def _rate(tax: TaxLine, country: str) -> TaxRate:
    return TaxRate(
        country=country, name=tax.name, percent=Decimal(tax.percent), reverse_charge=tax.reverse_charge
    )
