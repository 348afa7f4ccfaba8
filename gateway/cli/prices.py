"""`gateway prices`: what calls cost, what callers are asked, and why. Works on the config and the database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import json_option
from gateway.cli.price_books import drift, export, import_
from gateway.cli.price_explain import explain
from gateway.cli.price_rules import end, rules, sell
from gateway.cli.prices_again import reprice
from gateway.cli.pricing import terms_words, with_pricing
from gateway.shown import print_rows

if TYPE_CHECKING:
    from gateway.catalogue import Model
    from gateway.cli.pricing import Priced


@click.group()
def prices() -> None:
    """List prices, explain charges, compare and exchange price books, price again."""


@prices.command(name="list")
@click.option("--provider", help="Only models of this provider of the config.")
@click.option("--tenant", default="", help="What is asked of this tenant.  [default: of everybody]")
@json_option
@click.pass_context
def list_(ctx: click.Context, provider: str | None, tenant: str, as_json: bool) -> None:
    """List what models cost now, and what is asked for them. Those are the models of the config's providers."""

    async def work(priced: Priced) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for name, catalogue in sorted(priced.catalogues.items()):
            if provider in (None, name):
                models = priced.pricing.book.catalogue.models(catalogue).values()
                found += [_row(name, catalogue, model, priced, tenant) for model in models]
        return found

    print_rows(
        with_pricing(ctx, work), as_json=as_json, none="No model of these providers has a known price."
    )


@prices.command()
@click.argument("name", metavar="PROVIDER/MODEL")
@click.option("--tenant", default="", help="What is asked of this tenant.  [default: of everybody]")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, tenant: str, as_json: bool) -> None:
    """Show every period of a model's price, and what is asked now."""
    provider, _, model = name.partition("/")

    async def work(priced: Priced) -> list[dict[str, Any]]:
        from gateway.cli.model_view import period, rates

        if provider not in priced.catalogues or not model:
            listed = ", ".join(sorted(priced.catalogues))
            raise click.BadParameter(f"expected PROVIDER/MODEL, with a provider of the config: {listed}")
        catalogue = priced.catalogues[provider]
        known = priced.pricing.book.model(catalogue, model)
        found = [
            {"when": period(one), "what": "cost", "rates": rates(one), "source": one.version}
            for one in (() if known is None else known.prices)
        ]
        terms = priced.pricing.selling.find(catalogue, model, time.time(), tenant)
        asked = {"when": "now", "what": "asked", "rates": terms_words(terms), "source": terms.name or ""}
        return [*found, asked]

    print_rows(with_pricing(ctx, work), as_json=as_json, none="")


def _row(provider: str, catalogue: str, model: Model, priced: Priced, tenant: str) -> dict[str, Any]:
    from gateway.cli.model_view import rates

    now = time.time()
    price = priced.pricing.price(catalogue, model.name, now)
    terms = priced.pricing.selling.find(catalogue, model.name, now, tenant)
    return {
        "model": f"{provider}/{model.name}",
        "cost": "" if price is None else rates(price),
        "version": "" if price is None else price.version,
        "asked": terms_words(terms),
    }


for _command in (sell, rules, end, explain, export, import_, drift, reprice):
    prices.add_command(_command)
