"""An invoice on the terminal, in the words in which its customer reads it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gateway_invoices.currency import decimal
from gateway_invoices.reading import Invoice
from gateway_invoices.view import view_of

_TEXT = 60


def printed(invoice: Invoice) -> Iterator[str]:
    """The lines and sums, in English."""
    view = view_of(msgspec.structs.replace(invoice.shown, language="en"), invoice.status)
    for row in view.rows:
        text = f"  {row.text}" if row.kind == "part" else row.text
        text = f"{text}, {row.detail}" if row.detail else text
        yield f"  {text:<{_TEXT}} {row.quantity:>12} {row.price:>16} {row.amount:>16}".rstrip()
    for label, amount in view.sums:
        yield f"  {label:<{_TEXT + 30}} {amount:>16}"
    yield from (f"  {note}" for note in view.notes)
    amount = f"{invoice.currency} {decimal(abs(invoice.open), invoice.currency):f}"
    if invoice.open not in {0, invoice.shown.due, -invoice.shown.owed}:
        yield f"  {amount} {'is still to be paid' if invoice.open > 0 else 'is left to be taken off the next invoices'}."
