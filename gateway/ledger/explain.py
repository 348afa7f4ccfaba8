"""The sum behind what a call was charged, told from its row: usage, version of the price, and how cost became charge."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from msgspec.json import decode

from gateway.catalogue import Price
from gateway.catalogue.lines import Line, lines_of, with_rounding
from gateway.catalogue.price import MILLION
from gateway.ledger.prices import Pricing
from gateway.ledger.selling import Terms
from gateway.types import Usage

_COUNTS: Final = (
    "prompt_tokens",
    "completion_tokens",
    "cached_read_tokens",
    "cached_write_tokens",
    "reasoning_tokens",
)


class Explanation(Struct, frozen=True, kw_only=True):
    """What the charge of a call is made of."""

    cost: int | None
    """As it is in the ledger, in 10⁻⁹ of the currency."""
    charge: int | None
    """As it is in the ledger, in 10⁻⁹ credit."""
    price_version: str | None
    selling: str | None
    cost_lines: tuple[Line, ...] = ()
    """They add up to the cost; none where it cannot be told."""
    charge_lines: tuple[Line, ...] = ()
    """They add up to the charge; none where it cannot be told."""
    problems: tuple[str, ...] = ()
    """Why something cannot be told."""


def usage_of(row: Any) -> Usage | None:
    """The usage in a row of `model_calls`; None where none was told."""
    if row.prompt_tokens is None:
        return None
    units: dict[str, Any] = {} if row.units is None else decode(row.units)
    tokens = {name: getattr(row, name) or 0 for name in _COUNTS}
    return Usage(**tokens, **units, estimated=bool(row.estimated))


def explain(row: Any, catalogue: str, pricing: Pricing) -> Explanation:
    """Tell what a call was charged for; `row` is of `model_calls`, `catalogue` that of its provider."""
    known = {
        "cost": row.cost,
        "charge": row.charge,
        "price_version": row.price_version,
        "selling": row.selling,
    }
    usage = usage_of(row)
    if usage is None:
        return Explanation(**known, problems=("The call has no usage, so nothing was charged for it.",))
    problems: list[str] = []
    cost_lines: tuple[Line, ...] = ()
    model, at = row.upstream_model or "", row.received_at
    if row.cost is None:
        problems.append("No price was known, so the cost is not known.")
    elif (price := pricing.version(catalogue, model, at, row.price_version, usage, row.cost)) is None:
        problems.append(_other_price(pricing.price(catalogue, model, at), row.price_version, usage))
    else:
        cost_lines = lines_of(price, usage)
    charge_lines: tuple[Line, ...] = ()
    if row.charge is not None:
        terms = pricing.selling.named(row.selling, catalogue, model, at)
        if terms is None or terms.charge(row.cost, usage) != row.charge:
            problems.append(
                f"The charge was made by {row.selling or 'the cost itself'!r}, which does not lead to it any more."
            )
        else:
            charge_lines = _charge_lines(terms, row.cost, row.charge, usage)
    return Explanation(**known, cost_lines=cost_lines, charge_lines=charge_lines, problems=tuple(problems))


def _charge_lines(terms: Terms, cost: int | None, charge: int, usage: Usage) -> tuple[Line, ...]:
    if terms.price is not None:
        return lines_of(terms.price, usage)
    assert cost is not None
    worth = cost * MILLION * terms.credit.denominator // terms.credit.numerator
    margin = cost * MILLION * terms.numerator // terms.denominator - worth
    lines = [
        Line(
            what="cost" if terms.credit == 1 else f"cost, at {terms.credit_price} for a credit", amount=worth
        )
    ]
    if margin:
        lines.append(Line(what=f"margin of {terms.margin_percent} %", amount=margin))
    return with_rounding(tuple(lines), charge)


def _other_price(price: Price | None, version: str | None, usage: Usage) -> str:
    now = "no price" if price is None else f"{price.version!r}, by which it were {price.cost(usage)} 10⁻⁹"
    return (
        f"The cost was made by version {version!r} of the price book; the book at hand has {now}. "
        "Name that version's file as [gateway.prices] book to see its lines."
    )
