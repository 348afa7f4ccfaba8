"""What a reader sees of an invoice, in words: the same for HTML and PDF."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from gateway_invoices.document import Document, Party
from gateway_invoices.rows import Row, money, number, rows_of
from gateway_invoices.words import counted, day, words


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
    """The last is the total, or what of it is due."""
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
        rows=[*rows_of(document, said)],
        sums=_sums(document, status, said),
        payment=[*document.payment] if document.due and status != "paid" else [],
        notes=_notes(document, status, said),
        words=said,
        currency=document.currency,
    )


def _party(party: Party, said: Mapping[str, str]) -> list[str]:
    lines = [party.name, *party.address]
    if party.tax_id:
        lines.append(f"{said['tax_id']} {party.tax_id}")
    return [*lines, party.email] if party.email else lines


def _sums(document: Document, status: str, said: Mapping[str, str]) -> list[tuple[str, str]]:
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
    if document.kind == "credit_note" or (document.total >= 0 and not document.carried):
        return [*sums, (total, _with_currency(document.total, document))]
    sums.append((total, money(document.total, document.currency)))
    if document.total < 0:
        label = said["given_back" if status == "paid" else "to_carry"]
        sums.append((label, money(-document.total, document.currency)))
    for each in document.carried:
        sums.append((said["carried"].format(number=each.number), money(each.amount, document.currency)))
    return [*sums, (said["due"], _with_currency(document.due, document))]


def _with_currency(amount: int, document: Document) -> str:
    return f"{document.currency} {money(amount, document.currency)}"


def _notes(document: Document, status: str, said: Mapping[str, str]) -> list[str]:
    notes: list[str] = []
    if document.left is not None:
        less, left = -document.total - document.left, document.left
        if less:
            notes.append(
                said["less"].format(amount=_with_currency(less, document), number=document.of_number)
            )
        if left:
            word = "left_given_back" if status == "paid" else "left"
            notes.append(said[word].format(amount=_with_currency(left, document)))
    if document.tax is not None and document.tax.reverse_charge:
        notes.append(said["reverse_charge"].format(name=document.tax.name))
    if any(line.credits is not None for line in document.lines):
        notes.append(said["credits"].format(price=f"{document.currency} {number(document.credit_price)}"))
        notes.append(said["by_line" if document.rounding == "line" else "by_invoice"])
    if document.unpriced_calls:
        notes.append(counted(said, "unpriced", str(document.unpriced_calls)))
    return notes
