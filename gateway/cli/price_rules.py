"""`gateway prices sell`, `rules` and `end`: what callers are asked in place of cost and the usual margin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import json_option
from gateway.cli.times import Moment, rfc3339
from gateway.cli.work import on_database
from gateway.commands import command_actor
from gateway.shown import print_fields, print_rows

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.selling_prices import SellingPrice


@click.command()
@click.option("--tenant", help="Only for this tenant.")
@click.option("--plan", help="Only for tenants with this plan.")
@click.option("--provider", default="*", show_default=True, help="A provider of the price book.")
@click.option("--model", default="*", show_default=True, help="A model, as its provider calls it.")
@click.option("--margin", metavar="PERCENT", help="Added to the cost; negative for a discount.")
@click.option(
    "--rates", metavar="JSON", help='Rates in credits, as in a price file: {"input": "3", "output": "12"}.'
)
@click.option("--from", "since", type=Moment(future=False), help="When it begins.  [default: now]")
@click.option("--until", type=Moment(future=True), help="When it ends.  [default: never]")
@click.option("--note", default="", help="What it is for.")
@json_option
@click.pass_context
def sell(
    ctx: click.Context,
    margin: str | None,
    rates: str | None,
    since: float | None,
    until: float | None,
    as_json: bool,
    **which: Any,
) -> None:
    """Ask something else for models. That is a margin on their cost, or rates in credits.

    A tenant's rule goes before its plan's, this before everybody's; of each, the one for the model before the one for
    its provider. Running gateways follow within a second. Calls that were made before keep their charge, unless they
    are priced again: gateway prices reprice
    """
    from gateway.ledger.selling import checked
    from gateway.store.selling_prices import NewSellingPrice, add_selling_price

    try:
        table = None if rates is None else json.loads(rates, parse_float=str, parse_int=str)
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}", param_hint="--rates") from None
    new = NewSellingPrice(
        margin_percent=margin,
        rates=table,
        valid_from=since,
        valid_until=until,
        **which,
    )

    async def work(database: Database) -> SellingPrice:
        return await add_selling_price(database, checked(new), actor=command_actor())

    print_fields(_shown(on_database(ctx, work)), as_json=as_json)


@click.command()
@json_option
@click.pass_context
def rules(ctx: click.Context, as_json: bool) -> None:
    """List the selling prices, the newest first. Those that have ended are there as well."""
    from gateway.store.selling_prices import all_selling_prices

    rows = [_shown(row) for row in on_database(ctx, all_selling_prices)]
    print_rows(rows, as_json=as_json, none="No selling prices: the margin of the config holds for all.")


@click.command()
@click.argument("id", metavar="ID")
@click.option("--at", type=Moment(future=True), help="When it ends.  [default: now]")
@json_option
@click.pass_context
def end(ctx: click.Context, id: str, at: float | None, as_json: bool) -> None:
    """Let a selling price end."""
    from gateway.store.selling_prices import end_selling_price

    async def work(database: Database) -> SellingPrice:
        return await end_selling_price(database, id, at=at, actor=command_actor())

    print_fields(_shown(on_database(ctx, work)), as_json=as_json)


def _shown(row: SellingPrice) -> dict[str, Any]:
    return {
        "id": row.id,
        "tenant": row.tenant,
        "plan": row.plan,
        "provider": row.provider,
        "model": row.model,
        "margin_percent": row.margin_percent,
        "rates": row.rates,
        "from": rfc3339(row.valid_from),
        "until": rfc3339(row.valid_until),
        "note": row.note,
    }
