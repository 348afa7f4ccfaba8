"""Credit notes: what an invoice asked, taken back in whole or in part, with its share of the tax."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from gateway.errors import InvalidRequest
from gateway_invoices.currency import decimal, rounded
from gateway_invoices.document import Document, Line


def credit_note(
    of: Document, earlier: Sequence[Document], amount: int | None, reason: str, *, still_open: int
) -> Document:
    """The document of a note for `amount` minor units of an invoice, tax included; None for all that is left.

    `still_open` is what is still to be paid for it: what is credited beyond that is owed to the customer.

    The tax of all notes so far is their share of the invoice's, rounded: the last one leaves none over. Raises
    `InvalidRequest` for more than is left, or nothing.
    """
    if of.total <= 0:
        raise InvalidRequest(f"{of.number} asks for nothing that could be credited.")
    before = -sum(note.total for note in earlier)
    left = of.total - before
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        raise InvalidRequest(
            f"{of.number}: {decimal(left, of.currency)} {of.currency} are left to be credited."
        )
    tax = 0
    if of.tax is not None:
        share = Fraction(before + wanted, of.total)
        taken = -sum(note.tax.amount for note in earlier if note.tax is not None)
        tax = rounded(of.tax.amount * share) - taken
    net = wanted - tax
    return msgspec.structs.replace(
        of,
        kind="credit_note",
        number="",
        of_number=of.number,
        reason=reason,
        payment=(),
        carried=(),
        terms=None,
        left=max(0, wanted - still_open),
        lines=(Line(kind="credit_note", text=reason, amount=-(wanted if of.inclusive else net)),),
        net=-net,
        tax=None if of.tax is None else msgspec.structs.replace(of.tax, base=-net, amount=-tax),
        total=-wanted,
        unpriced_calls=0,
    )
