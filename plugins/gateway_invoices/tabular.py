"""Invoices for programs and spreadsheets: CSV by RFC 4180, JSON with money as decimal text."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

import msgspec

from gateway.store.calls import as_cell
from gateway_invoices.currency import decimal
from gateway_invoices.document import Document
from gateway_invoices.reading import Invoice

_COLUMNS: Final = (
    *("number", "line", "kind", "provider", "text", "unit", "detail", "quantity"),
    *("rate", "per", "unit_price", "credits"),
)
_AFTER: Final = ("amount", "currency")


def as_object(invoice: Invoice) -> dict[str, Any]:
    """An invoice as JSON: amounts are decimal text in its currency, `credits` whole 10⁻⁹ credit."""
    document = invoice.shown
    shown: dict[str, Any] = msgspec.to_builtins(document)
    del shown["terms"]  # the seller's own
    places = [shown, *shown["lines"], *shown["carried"], *([shown["tax"]] if shown["tax"] else [])]
    for place in places:
        for name in ("net", "total", "amount", "base"):
            if name in place:
                place[name] = f"{decimal(place[name], document.currency):f}"
    sums = {"due": document.due, "left": document.left, "open": invoice.open}
    for name, amount in sums.items():
        shown[name] = None if amount is None else f"{decimal(amount, document.currency):f}"
    return {"id": invoice.id, "status": invoice.status, "hash": invoice.hash, **shown}


def as_csv(document: Document) -> str:
    """A row for each line and unit; the amount stands in the first row of a line. Then net, tax and total, what is carried over, and what is due."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow((*_COLUMNS, *_AFTER))
    for place, line in enumerate(document.lines, start=1):
        amount = f"{decimal(line.amount, document.currency):f}"
        head = (document.number, place, line.kind, line.provider, line.text)
        units = [(one.unit, one.amount) for one in line.quantities] or [("", "")]
        for first, (unit, quantity) in zip((True, *[False] * len(units)), units, strict=False):
            credits_ = line.credits if first else None
            rate = (line.rate, line.per) if first and line.rate is not None else (None, None)
            after = (*rate, line.unit_price, credits_, amount if first else None, document.currency)
            rows.writerow(
                [as_cell(value) for value in (*head, unit, line.detail if first else "", quantity)] + [*after]
            )
    sums = [("net", "", document.net), ("total", "", document.total)]
    if document.tax is not None:
        sums.insert(1, ("tax", "", document.tax.amount))
    sums += [("carried", each.number, each.amount) for each in document.carried]
    if document.kind == "invoice":
        sums.append(("due", "", document.due))
    for name, of, amount in sums:
        shown = f"{decimal(amount, document.currency):f}"
        rows.writerow((document.number, "", name, "", of, *[""] * 7, shown, document.currency))
    return text.getvalue()
