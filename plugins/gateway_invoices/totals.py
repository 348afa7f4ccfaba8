"""From what was used to what is asked: lines in money, tax, sums. Nothing here is approximate but the final rounding."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec
from msgspec import Struct

from gateway.types import NANO
from gateway_invoices.config import Entity
from gateway_invoices.currency import apportioned, digits_of, rounded
from gateway_invoices.document import Line, Party, TaxLine
from gateway_invoices.taxes import is_reversed, rate_for, tax_on


class Totals(Struct, frozen=True, kw_only=True):
    """The lines with their amounts, and what they come to, in minor units."""

    lines: tuple[Line, ...]
    net: int
    tax: TaxLine | None
    total: int


def total(entity: Entity, customer: Party, lines: Sequence[Line], day: date) -> Totals:
    """Add up: the `amount` of each line is worked out from its credits, or from its quantity and price.

    Rounded by line, each amount and its tax are rounded. Rounded by invoice, the sum is, and the tax on it; the lines
    share the sum out. Either way the lines come to `net`, or with inclusive prices to `total`.
    """
    exact = [_exact(entity, line) for line in lines]
    if entity.rounding == "line":
        amounts = [rounded(amount) for amount in exact]
    else:
        amounts = apportioned(exact, rounded(sum(exact, Fraction())))
    priced = tuple(
        msgspec.structs.replace(line, amount=amount) for line, amount in zip(lines, amounts, strict=True)
    )
    rate, asked = rate_for(entity.taxes, customer, day), sum(amounts)
    if rate is None:
        return Totals(lines=priced, net=asked, tax=None, total=asked)
    turned = is_reversed(rate, customer)
    # Where the customer owes the tax, a price is what it is: there is no tax within it.
    inclusive = entity.inclusive and not turned
    percent = Fraction(0) if turned else Fraction(rate.percent)
    parts = amounts if entity.rounding == "line" else [asked]
    tax = sum(tax_on(part, percent, inclusive=inclusive) for part in parts)
    net = asked - tax if inclusive else asked
    line = TaxLine(name=rate.name, percent=_short(rate.percent), reverse_charge=turned, base=net, amount=tax)
    return Totals(lines=priced, net=net, tax=line, total=net + tax)


def _exact(entity: Entity, line: Line) -> Fraction:
    """The amount of a line in minor units, not rounded."""
    if line.credits is not None:
        money = Fraction(line.credits, NANO) * Fraction(entity.credit_price)
    else:
        money = Fraction(line.quantities[0].amount) * Fraction(line.unit_price or 0)
    return money * 10 ** digits_of(entity.currency)


def _short(number: Decimal) -> str:
    return f"{number.normalize():f}"
