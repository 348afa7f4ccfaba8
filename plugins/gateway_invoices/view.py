"""What a reader sees of an invoice, in words: the same for HTML and PDF."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from gateway_invoices.currency import decimal, digits_of
from gateway_invoices.document import Document, Line, Party
from gateway_invoices.words import day, words


class Row(Struct, frozen=True):
    """A line."""

    text: str
    detail: str
    quantity: str
    price: str
    amount: str


class View(Struct, frozen=True, kw_only=True):
    """Everything in the order in which it is read."""

    language: str
    title: str
    state: str
    """A word across it when it is a draft or void; else empty."""
    facts: list[tuple[str, str]]
    seller: list[str]
    customer: list[str]
    rows: list[Row]
    sums: list[tuple[str, str]]
    """The last is the total."""
    payment: list[str]
    notes: list[str]
    words: Mapping[str, str]
    currency: str


def view_of(document: Document, status: str) -> View:
    """What stands on a document whose invoice is in that state."""
    said, language = words(document.language), document.language
    facts = [
        ("number", document.number),
        ("issued_on", document.issued_on and day(document.issued_on, language)),
        ("due_on", document.due_on and day(document.due_on, language)),
        ("of_number", document.of_number),
        ("period", f"{day(document.period_start, language)} – {day(document.period_end, language)}"),  # noqa: RUF001 - a range
    ]
    return View(
        language=language,
        title=said[document.kind],
        state=said[status] if status in {"draft", "void", "paid"} else "",
        facts=[(said[name], value) for name, value in facts if value],
        seller=_party(document.seller, said),
        customer=_party(document.customer, said),
        rows=[_row(line, document, said) for line in document.lines],
        sums=_sums(document, said),
        payment=[*document.payment] if document.total > 0 and status != "paid" else [],
        notes=_notes(document, said),
        words=said,
        currency=document.currency,
    )


def money(amount: int, currency: str) -> str:
    """Minor units with all decimal places, in groups of three digits; a true minus sign."""
    return f"{decimal(amount, currency):,.{digits_of(currency)}f}".replace("-", "\u2212")


def _party(party: Party, said: Mapping[str, str]) -> list[str]:
    lines = [party.name, *party.address]
    if party.tax_id:
        lines.append(f"{said['tax_id']} {party.tax_id}")
    return [*lines, party.email] if party.email else lines


def _row(line: Line, document: Document, said: Mapping[str, str]) -> Row:
    amount = money(line.amount, document.currency)
    if line.unit_price is not None:
        return Row(line.text, "", _number(line.quantities[0].amount), _number(line.unit_price), amount)
    counts = {quantity.unit: _number(quantity.amount) for quantity in line.quantities}
    if line.kind == "adjustment":
        return Row(said["adjustment"].format(calls=counts["calls"]), "", "", "", amount)
    calls = counts.pop("calls", "")
    text = f"{line.text} ({line.provider})" if line.provider else line.text
    detail = said["comma"].join(
        said[unit].format(n=n) if unit in said else f"{n} {unit}" for unit, n in counts.items()
    )
    return Row(text, detail, said["calls"].format(n=calls) if calls else "", "", amount)


def _sums(document: Document, said: Mapping[str, str]) -> list[tuple[str, str]]:
    total = said["total" if document.kind == "invoice" else "credit_total"]
    sums: list[tuple[str, str]] = []
    if (tax := document.tax) is not None:
        within = document.inclusive and not tax.reverse_charge
        percent = "0" if tax.reverse_charge else tax.percent
        label = said["tax"].format(name=tax.name, percent=percent)
        sums = [
            (said["net"], money(document.net, document.currency)),
            (label, money(tax.amount, document.currency)),
        ]
        if within:
            label = said["tax_within"].format(name=tax.name, percent=percent)
            sums = [(label, money(tax.amount, document.currency))]
    return [*sums, (total, f"{document.currency} {money(document.total, document.currency)}")]


def _notes(document: Document, said: Mapping[str, str]) -> list[str]:
    notes: list[str] = []
    if document.tax is not None and document.tax.reverse_charge:
        notes.append(said["reverse_charge"].format(name=document.tax.name))
    if any(line.credits is not None for line in document.lines):
        notes.append(said["credits"].format(price=f"{document.currency} {_number(document.credit_price)}"))
        notes.append(said["by_line" if document.rounding == "line" else "by_invoice"])
    if document.unpriced_calls:
        notes.append(said["unpriced"].format(calls=document.unpriced_calls))
    return notes


def _number(text: str) -> str:
    return f"{Decimal(text):,f}".replace("-", "\u2212")
