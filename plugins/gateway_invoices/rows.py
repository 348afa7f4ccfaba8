"""The lines of an invoice as a reader sees them: below the name of each model what was used of it, at which rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Final, Literal

from msgspec import Struct

from gateway_invoices.currency import decimal, digits_of
from gateway_invoices.document import Document, Line
from gateway_invoices.words import counted, day

_DECIMALS: Final = 9
"""Of a rate in money."""


class Row(Struct, frozen=True, kw_only=True):
    """A line, or what stands above lines that belong together."""

    kind: Literal["whole", "head", "part"] = "whole"
    """`head` names a model, whose lines follow as `part`s."""
    text: str
    detail: str = ""
    quantity: str = ""
    price: str = ""
    amount: str = ""


def rows_of(document: Document, said: Mapping[str, str]) -> Iterator[Row]:
    """The rows in words; lines of a model that have rates stand below its name."""
    for (rated, provider, model), lines in groupby(document.lines, key=_together):
        if not rated:
            yield from (_whole(line, document, said) for line in lines)
            continue
        parts = [*lines]
        calls = sum(
            Decimal(one.amount) for line in parts for one in line.quantities[1:] if one.unit == "calls"
        )
        yield Row(kind="head", text=_model(model, provider), detail=counted(said, "calls", f"{calls:,f}"))
        yield from (_part(line, document, said) for line in parts)


def money(amount: int, currency: str) -> str:
    """Minor units with all decimal places, in groups of three digits; a true minus sign."""
    return f"{decimal(amount, currency):,.{digits_of(currency)}f}".replace("-", "\u2212")


def number(text: str) -> str:
    """A decimal number in groups of three digits; a true minus sign."""
    return f"{Decimal(text):,f}".replace("-", "\u2212")


def _together(line: Line) -> tuple[bool, str, str]:
    return line.rate is not None, line.provider, line.text


def _model(model: str, provider: str) -> str:
    return f"{model} ({provider})" if provider else model


def _part(line: Line, document: Document, said: Mapping[str, str]) -> Row:
    used = line.quantities[0]
    text = said.get(f"each_{used.unit}", used.unit)
    if line.detail:
        text = f"{text} ({_detail(line.detail, said)})"
    return Row(
        kind="part",
        text=text,
        quantity=number(used.amount),
        price=_price(line, document, said),
        amount=money(line.amount, document.currency),
    )


def _detail(detail: str, said: Mapping[str, str]) -> str:
    sign, _, rest = detail.partition(" ")
    if sign == ">":
        above, _, batch = rest.partition(" ")
        return said["comma"].join(
            filter(None, (said["above"].format(n=f"{int(above):,}"), batch and said["batch"]))
        )
    return said["comma"].join(said["batch"] if word == "batch" else word for word in detail.split())


def _price(line: Line, document: Document, said: Mapping[str, str]) -> str:
    price = round(Decimal(line.rate or 0) * Decimal(document.credit_price), _DECIMALS)
    shown = _decimals(price, document.currency)
    return said.get(f"per_{line.per}", "{price} / " + f"{line.per:,}").format(price=shown)


def _decimals(price: Decimal, currency: str) -> str:
    """A price with all its decimal places, and those of the currency at least."""
    short = price.normalize()
    places = max(digits_of(currency), -int(short.as_tuple().exponent))
    return f"{short:,.{places}f}".replace("-", "\u2212")


def _of_plan(line: Line, document: Document, said: Mapping[str, str]) -> Row:
    """Seats, and from when until when; the price of a seat where it is one of whole minor units, as for a whole period."""
    days = [day(each, document.language) for each in line.detail.split()]
    seats = next((Decimal(one.amount) for one in line.quantities if one.unit == "seats"), Decimal(1))
    asked = Decimal(line.unit_price or 0)
    each = round(asked / seats, digits_of(document.currency))
    whole = each * seats == asked
    detail = said["comma"].join([counted(said, "seats", f"{seats:,f}"), " – ".join(days)])  # noqa: RUF001 - a range
    return Row(
        text=said["unused"].format(plan=line.text) if asked < 0 else line.text,
        detail=detail,
        quantity=f"{seats:,f}" if whole else "",
        price=_decimals(each, document.currency) if whole else "",
        amount=money(line.amount, document.currency),
    )


def _whole(line: Line, document: Document, said: Mapping[str, str]) -> Row:
    amount = money(line.amount, document.currency)
    if line.unit_price is not None and line.detail:
        return _of_plan(line, document, said)
    if line.unit_price is not None:
        quantity = number(line.quantities[0].amount)
        price = _decimals(Decimal(line.unit_price), document.currency)
        return Row(text=line.text, quantity=quantity, price=price, amount=amount)
    if line.kind in {"included", "prepaid"}:
        return Row(text=said[line.kind].format(plan=line.text), amount=amount)
    counts = {quantity.unit: number(quantity.amount) for quantity in line.quantities}
    if line.kind == "adjustment":
        return Row(text=counted(said, "adjustment", counts["calls"]), amount=amount)
    calls = counts.pop("calls", "")
    detail = said["comma"].join(
        counted(said, unit, n) if unit in said else f"{n} {unit}" for unit, n in counts.items()
    )
    quantity = counted(said, "calls", calls) if calls else ""
    return Row(text=_model(line.text, line.provider), detail=detail, quantity=quantity, amount=amount)
