"""What callers are asked for a call: the rule that holds for them, which turns cost into a charge or has rates of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from gateway.catalogue.catalogue import family_of
from gateway.catalogue.model import ANY
from gateway.catalogue.price import Price, half_even
from gateway.catalogue.rates import prices, rates_from_text
from gateway.catalogue.reading import read
from gateway.errors import ConfigError, InvalidRequest
from gateway.store.selling_prices import REVISION, NewSellingPrice, SellingPrice, all_selling_prices
from gateway.types import Usage

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.changes import Changes

PlanOf: TypeAlias = Callable[[str], str | None]
"""The plan of a tenant, where it has one."""

_REMEMBERED: Final = 4096
"""How many answers are kept; clients choose the names of models, so the number must have a bound."""

_HIGHEST_MARGIN: Final = 100_000


class Terms(Struct, frozen=True, kw_only=True):
    """How a charge is made: from the cost, or from rates in credits."""

    name: str | None
    """As it is written to the call."""
    price: Price | None = None
    """Rates in credits; None where the charge is made from the cost."""
    margin_percent: str = "0"
    """Added to the cost."""
    credit_price: str = "1"
    """Units of the currency that a credit is worth."""
    numerator: int = 1
    """The cost is multiplied with this …"""
    denominator: int = 1
    """… and divided by this: margin and worth of a credit in one."""
    valid_from: float = 0.0
    valid_until: float = float("inf")

    @property
    def credit(self) -> Fraction:
        """What a credit is worth."""
        return Fraction(self.credit_price)

    def charge(self, cost: int | None, usage: Usage) -> int | None:
        """The charge in 10⁻⁹ credit, rounded half to even; None when it hangs on a cost that is not known."""
        if self.price is not None:
            return self.price.cost(usage)
        return None if cost is None else self.with_margin(cost)

    def with_margin(self, cost: int) -> int:
        """The charge for a cost, where there are no rates; as `charge`."""
        if self.numerator == self.denominator:
            return cost
        return half_even(cost * self.numerator, self.denominator)

    def asked(self, cost: Price, credit_price: Decimal) -> Mapping[str, Decimal]:
        """Rates that callers are asked, in the currency, for what costs so much."""
        if self.price is not None:
            return {name: rate * credit_price for name, rate in self.price.amounts().items()}
        factor = 1 + Decimal(self.margin_percent) / 100
        return {name: rate * factor for name, rate in cost.amounts().items()}


def margin_terms(name: str | None, margin_percent: Decimal, credit_price: Decimal) -> Terms:
    """Cost and a margin, in credits that are worth `credit_price` units of the currency."""
    factor = (100 + Fraction(margin_percent)) / 100 / Fraction(credit_price)
    return Terms(
        name=name,
        margin_percent=_short(margin_percent),
        credit_price=_short(credit_price),
        numerator=factor.numerator,
        denominator=factor.denominator,
    )


def usual_terms(margin_percent: Decimal, credit_price: Decimal) -> Terms:
    """What the config says for all that no other rule is about."""
    margin, worth = _short(margin_percent), _short(credit_price)
    name = None if (margin, worth) == ("0", "1") else f"margin={margin} credit={worth}"
    return margin_terms(name, margin_percent, credit_price)


def checked(new: NewSellingPrice) -> NewSellingPrice:
    """See that a margin or rates can be read. Raises `InvalidRequest` that says what is wrong with them."""
    try:
        if new.margin_percent is not None:
            new = replace(new, margin_percent=_margin(new.margin_percent))
        if new.rates is not None:
            _price(new.rates, "")
    except InvalidOperation:
        raise InvalidRequest(
            f"A margin is a decimal number, not {new.margin_percent!r}.", param="margin_percent"
        ) from None
    except ValueError as error:
        raise InvalidRequest(f"The rates cannot be read: {error}.", param="rates") from None
    return new


def _margin(text: str) -> str:
    margin = Decimal(text)
    if not -100 <= margin <= _HIGHEST_MARGIN or margin != round(margin, 9):  # noqa: PLR2004 - percent
        raise InvalidRequest(
            f"A margin is from -100 to {_HIGHEST_MARGIN} percent, with at most nine decimals.",
            param="margin_percent",
        )
    return _short(margin)


def _price(rates: Mapping[str, Any], version: str) -> Price:
    if rates.keys() & {"from", "until"}:
        raise ValueError("from and until belong to the selling price itself")
    (price,) = prices(rates_from_text(rates), version)
    return price


def terms_of(row: SellingPrice, credit_price: Decimal) -> Terms:
    """The terms of a row. Raises ValueError for rates or a margin that cannot be read."""
    end = float("inf") if row.valid_until is None else row.valid_until
    if row.rates is None:
        name = row.id if credit_price == 1 else f"{row.id} credit={_short(credit_price)}"
        terms = margin_terms(name, Decimal(row.margin_percent or 0), credit_price)
    else:
        terms = Terms(name=row.id, price=_price(row.rates, row.id))
    return replace(terms, valid_from=row.valid_from, valid_until=end)


class SellingPrices:
    """The selling rules in force. A tenant's come before its plan's, those before everybody's, these before the config's book."""

    def __init__(self, usual: Terms, credit_price: Decimal, book: Path | None = None) -> None:
        """Raises `ConfigError` that names every entry of the book which cannot be used."""
        self.usual = usual
        self.plan_of: PlanOf | None = None
        self._credit_price = credit_price
        self._book: Mapping[tuple[str, str], Sequence[Terms]] = {} if book is None else _book(book)
        self._rows: Mapping[_Scope, Mapping[tuple[str, str], Sequence[Terms]]] = {}
        self._by_id: Mapping[str, SellingPrice] = {}
        self._found: dict[tuple[str, str | None, str, str], tuple[Terms, ...]] = {}
        self.at_cost = self._is_at_cost()
        """Whether every charge is the cost, with nothing to be said of it."""

    def shown(
        self, catalogue: str, model: str, cost: Price | None, at: float, tenant: str
    ) -> Mapping[str, object] | None:
        """What a tenant is asked for a model, in the currency, as lists of models show it; None when it is not known."""
        terms = self.find(catalogue, model, at, tenant)
        if terms.price is not None:
            return {"currency": "USD", **terms.price.shown(self._credit_price)}
        factor = 1 + Decimal(terms.margin_percent) / 100
        return None if cost is None else {"currency": "USD", **cost.shown(factor)}

    async def startup(self, database: Database, changes: Changes) -> None:
        """Read the rules, and follow their changes."""

        async def refresh(_revision: int) -> None:
            self.replace(await all_selling_prices(database))

        await changes.watch(REVISION, refresh)

    def replace(self, rows: Sequence[SellingPrice]) -> None:
        """Take these rules instead of those from before; of two that hold, the one that stands first."""
        scopes: dict[_Scope, dict[tuple[str, str], list[Terms]]] = {}
        for row in rows:
            rules = scopes.setdefault((row.tenant, row.plan), {})
            rules.setdefault((row.provider, row.model), []).append(terms_of(row, self._credit_price))
        self._rows, self._found = scopes, {}
        self._by_id = {row.id: row for row in rows}
        self.at_cost = self._is_at_cost()

    def _is_at_cost(self) -> bool:
        usual = self.usual
        same = usual.price is None and usual.numerator == usual.denominator and usual.name is None
        return same and not self._rows and not self._book

    def find(self, catalogue: str, model: str, at: float, tenant: str, *, plan: str | None = None) -> Terms:
        """The terms that hold for a tenant's call received at `at` (Unix seconds); without `plan`, by its plan of today."""
        if not self._rows and not self._book:
            return self.usual
        if plan is None and self.plan_of is not None:
            plan = self.plan_of(tenant)
        key = (tenant, plan, catalogue, model)
        found = self._found.get(key)
        if found is None:
            found = tuple(self._all(tenant, plan, catalogue, model))
            if len(self._found) < _REMEMBERED:
                self._found[key] = found
        for terms in found:
            if terms.valid_from <= at < terms.valid_until:
                return terms
        return self.usual

    def named(self, name: str | None, catalogue: str, model: str, at: float) -> Terms | None:
        """The terms that a call of that time names; None when they are not known any more."""
        if name is None:
            return Terms(name=None)
        first, _, rest = name.partition(" ")
        worth = Decimal(rest.removeprefix("credit=") or 1)
        kind, _, value = first.partition("=")
        if kind == "margin":
            return margin_terms(name, Decimal(value), worth)
        if kind == "book":
            listed = (terms for key in _keys(catalogue, model) for terms in self._book.get(key, ()))
            return next(
                (one for one in listed if one.name == name and one.valid_from <= at < one.valid_until), None
            )
        row = self._by_id.get(first)
        return None if row is None else terms_of(row, worth)

    def plan_named(self, name: str | None) -> str | None:
        """The plan that a call had which names these terms; None where they tell of none."""
        row = self._by_id.get((name or "").partition(" ")[0])
        return None if row is None else row.plan

    def _all(self, tenant: str, plan: str | None, catalogue: str, model: str) -> Iterator[Terms]:
        """All that may hold at some time, those that go first before others."""
        keys = _keys(catalogue, model)
        scopes: list[_Scope] = [(tenant, None), *([(None, plan)] if plan else []), (None, None)]
        for scope in scopes:
            rules = self._rows.get(scope, {})
            for key in keys:
                yield from rules.get(key, ())
        for key in keys:
            yield from self._book.get(key, ())


_Scope: TypeAlias = tuple[str | None, str | None]
"""A tenant or a plan; neither for what holds for everybody."""


def _keys(catalogue: str, model: str) -> Sequence[tuple[str, str]]:
    """Under which entries a model may be, the most exact first."""
    names = dict.fromkeys((model, family_of(model) or model, ANY))
    return [(provider, name) for name in names for provider in (catalogue, ANY)]


def _book(path: Path) -> Mapping[tuple[str, str], Sequence[Terms]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot read the selling book: {error}"]) from error
    found: dict[tuple[str, str], Sequence[Terms]] = {}
    for provider, models in read(text, str(path)).models.items():
        for model, fields in models.items():
            listed: tuple[Price, ...] = fields.get("prices", ())
            found[provider, model] = [
                Terms(
                    name=f"book={price.version}",
                    price=price,
                    valid_from=price.valid_from,
                    valid_until=price.valid_until,
                )
                for price in listed
            ]
    return found


def _short(number: Decimal) -> str:
    """A number as it is written to calls: no exponent, no zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
