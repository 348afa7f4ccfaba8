"""Which tax is due, and how much."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from gateway_invoices.config import TaxRate
from gateway_invoices.currency import rounded
from gateway_invoices.document import Party


def rate_for(rates: Iterable[TaxRate], customer: Party, day: date) -> TaxRate | None:
    """The rate that holds for a customer on the last day of what is invoiced; that of a region goes first."""
    fitting = [
        rate
        for rate in rates
        if rate.country == customer.country
        and rate.region in ("", customer.region)
        and rate.valid_from <= day <= rate.valid_until
    ]
    return max(fitting, key=lambda rate: rate.region != "", default=None)


def is_reversed(rate: TaxRate, customer: Party) -> bool:
    """Whether the customer owes the tax, not the seller."""
    return rate.reverse_charge and customer.tax_id != ""


def tax_on(amount: int, percent: Fraction, *, inclusive: bool) -> int:
    """The tax on an amount, or within it, in minor units."""
    return rounded(amount * percent / (100 + percent) if inclusive else amount * percent / 100)
