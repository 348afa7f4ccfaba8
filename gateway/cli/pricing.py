"""What the commands of `gateway prices` share: the pricing of the config, with the selling prices of the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from gateway.cli.options import config_of, registry_of
from gateway.cli.work import on_database
from gateway.types import NANO

if TYPE_CHECKING:
    import click

    from gateway.billing import Adjusts
    from gateway.ledger import Pricing
    from gateway.ledger.selling import Terms
    from gateway.store import Database

T = TypeVar("T")


class Priced(Struct, frozen=True):
    """The pricing of the config, and what it is applied to."""

    pricing: Pricing
    catalogues: Mapping[str, str]
    """The catalogue of each provider of the config."""
    database: Database
    books: Sequence[Adjusts]
    """Of the plugins of the config."""


def with_pricing(ctx: click.Context, work: Callable[[Priced], Awaitable[T]]) -> T:
    """Run `work` with the configured database. Raises `ConfigError`, `Unavailable`."""
    from gateway.ledger import PriceBook
    from gateway.parts import pricing_of
    from gateway.store.selling_prices import all_selling_prices

    config = config_of(ctx)
    pricing = pricing_of(config, PriceBook.load(config.settings.prices.book))
    facade = registry_of(ctx).facade
    catalogues = {one.name: one.catalogue for one in facade.providers()}
    books, migrations = facade.adjusters(), facade.migrations()

    async def on(database: Database) -> T:
        pricing.selling.replace(await all_selling_prices(database))
        return await work(Priced(pricing, catalogues, database, books))

    return on_database(ctx, on, migrations if books else ())


def terms_words(terms: Terms) -> str:
    """How a charge is made, in words."""
    from gateway.cli.model_view import rates

    if terms.price is not None:
        return f"{rates(terms.price)} (credits)"
    margin = "cost" if terms.margin_percent == "0" else f"cost and {terms.margin_percent} %"
    return margin if terms.credit_price == "1" else f"{margin}, at {terms.credit_price} for a credit"


def money(nano: float) -> str:
    """An amount in 10⁻⁹, as a decimal number without zeros at its end."""
    return f"{nano / NANO:.9f}".rstrip("0").rstrip(".")
