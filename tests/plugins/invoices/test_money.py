from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.errors import InvalidRequest
from gateway_invoices.config import Entity
from gateway_invoices.crediting import credit_note
from gateway_invoices.currency import apportioned, decimal, digits_of, minor_units, rounded
from gateway_invoices.document import Line, Quantity
from gateway_invoices.totals import total

from .samples import LAST, config, customer, document, seller, usage

CURRENCIES = st.sampled_from(["JPY", "EUR", "KWD", "CLF"])
CREDITS = st.lists(st.integers(-(10**12), 10**15), min_size=1, max_size=12)
PERCENT = st.decimals(0, 100, places=3)


def entity(**changes: Any) -> Entity:
    return Entity.model_validate(seller(**changes))


def taxed(percent: Decimal | str, **changes: Any) -> Entity:
    return entity(taxes=[{"country": "DE", "name": "VAT", "percent": percent}], **changes)


@pytest.mark.parametrize(
    ("exact", "whole"), [("1/2", 1), ("-1/2", -1), ("3/2", 2), ("149/100", 1), ("-151/100", -2), ("0", 0)]
)
def test_a_half_goes_away_from_zero(exact: str, whole: int):
    assert rounded(Fraction(exact)) == whole


@given(st.lists(st.fractions(-1000, 1000), max_size=12))
def test_shares_come_to_the_rounded_sum(exact: list[Fraction]):
    whole = rounded(sum(exact, Fraction()))
    shares = apportioned(exact, whole)
    assert sum(shares) == whole
    assert all(abs(share - amount) < 1 for share, amount in zip(shares, exact, strict=True))


@given(CURRENCIES, st.integers(-(10**15), 10**15))
def test_minor_units_come_back(currency: str, amount: int):
    assert minor_units(decimal(amount, currency), currency) == amount


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("EUR", 2), ("KWD", 3), ("CLF", 4), ("IQD", 3)])
def test_currencies_have_their_decimal_places(currency: str, digits: int):
    assert digits_of(currency) == digits
    with pytest.raises(ValueError, match="decimal places"):
        minor_units(Decimal(1).scaleb(-digits - 1), currency)


@settings(max_examples=60)
@given(CREDITS, CURRENCIES, PERCENT, st.sampled_from(["line", "invoice"]), st.booleans())
def test_lines_net_and_tax_come_to_the_total(
    amounts: list[int], currency: str, percent: Decimal, rounding: str, inclusive: bool
):
    by = taxed(percent, currency=currency, rounding=rounding, inclusive=inclusive, credit_price="0.937")
    sums = total(by, customer(), [usage(amount) for amount in amounts], LAST)
    assert sums.tax is not None
    assert sums.net + sums.tax.amount == sums.total
    assert sum(line.amount for line in sums.lines) == (sums.total if inclusive else sums.net)
    exact = Fraction(sum(amounts), 10**9) * Fraction("0.937") * 10 ** digits_of(currency)
    asked = sums.total if inclusive else sums.net
    assert abs(asked - exact) <= Fraction(1, 2) * (len(amounts) if rounding == "line" else 1)


def test_rounding_by_line_and_by_invoice_differ_as_they_say():
    lines = [usage(4_000_000), usage(4_000_000), usage(4_000_000)]  # 0.4 cent each
    by_line, by_invoice = (
        total(taxed("19", rounding=rule, credit_price=1), customer(), lines, LAST)
        for rule in ("line", "invoice")
    )
    assert [line.amount for line in by_line.lines] == [0, 0, 0]
    assert [line.amount for line in by_invoice.lines] == [1, 0, 0]


def test_the_tax_is_that_of_the_place_and_the_day():
    def tax_of(to: Any, day: date = LAST) -> tuple[str, int] | None:
        sums = total(entity(credit_price=1), to, [usage(100 * 10**9)], day)
        return None if sums.tax is None else (sums.tax.percent, sums.tax.amount)

    assert tax_of(customer()) == ("19", 1900)
    assert tax_of(customer(), date(2020, 12, 31)) == ("16", 1600)
    assert tax_of(customer(country="US", region="NY")) == ("8.875", 888)
    assert tax_of(customer(country="US", region="OR")) is None
    assert tax_of(customer(country="AT")) == ("20", 0)  # who has a tax id owes it
    assert tax_of(customer(country="AT", tax_id="")) == ("20", 2000)


def test_a_price_with_tax_in_it_has_none_when_the_customer_owes_it():
    lines = [Line(kind="fee", text="Plan", quantities=(Quantity("", "1"),), unit_price="119")]
    within = total(entity(inclusive=True), customer(), lines, LAST)
    turned = total(entity(inclusive=True), customer(country="AT"), lines, LAST)
    assert (within.net, within.total) == (10_000, 11_900)
    assert (turned.net, turned.total) == (11_900, 11_900)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=6), st.booleans(), PERCENT, st.integers(0, 3000))
def test_credit_notes_come_to_the_invoice_tax_and_all(
    parts: list[int], inclusive: bool, percent: Decimal, paid: int
):
    """`paid` of it was paid by what was carried over: that much is owed again in the end."""
    of = document(taxed(percent, inclusive=inclusive), customer(), [usage(30 * 10**9)])
    notes: list[Any] = []
    for part in parts:
        left = of.total + sum(note.total for note in notes)
        if part < left:
            notes.append(credit_note(of, notes, part, "goodwill", still_open=max(0, left - paid)))
    left = of.total + sum(note.total for note in notes)
    notes.append(credit_note(of, notes, None, "the rest", still_open=max(0, left - paid)))
    assert sum(note.left for note in notes) == min(paid, of.total)
    assert of.tax is not None
    assert sum(note.total for note in notes) == -of.total
    assert sum(note.tax.amount for note in notes) == -of.tax.amount
    assert all(note.net + note.tax.amount == note.total for note in notes)
    with pytest.raises(InvalidRequest, match=r"0\.00 EUR are left"):
        credit_note(of, notes, 1, "too much", still_open=0)


def test_two_series_of_numbers_cannot_begin_alike():
    with pytest.raises(ValidationError, match="'INV-'"):
        config(one=seller(), two=seller(credit_prefix="CR-"))
    assert config(one=seller(), two=seller(prefix="B-", credit_prefix="CR-"))
