"""`gateway prices reprice`: price the calls of a period again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import json_option
from gateway.cli.pricing import money, with_pricing
from gateway.cli.times import Moment
from gateway.commands import command_actor
from gateway.shown import print_rows

if TYPE_CHECKING:
    from gateway.cli.pricing import Priced
    from gateway.ledger.reprice import Repricing


@click.command()
@click.option(
    "--since",
    type=Moment(future=False),
    required=True,
    help="Calls received from then on: 7d or an ISO time.",
)
@click.option("--until", type=Moment(future=False), help="Until before then.  [default: now]")
@click.option("--model", help="Only this model, as clients or its provider call it.")
@click.option("--tenant", help="Only calls of this tenant.")
@click.option("--reason", default="Priced again.", show_default=True, help="Written to each adjustment.")
@click.option("--apply", is_flag=True, help="Write the adjustments; without it they are only shown.")
@json_option
@click.pass_context
def reprice(
    ctx: click.Context,
    since: float,
    until: float | None,
    reason: str,
    apply: bool,
    as_json: bool,
    **which: Any,
) -> None:
    """Compare what calls were charged with today's prices. Those are the prices that today hold for the time of each call.

    The calls stay as they are: adjustments are added, once, however often this is run. Which plan a tenant has is known
    only to a running gateway, so prices of plans count here for calls that were charged by them.
    """
    end = time.time() if until is None else until
    if end <= since:
        raise click.UsageError("--until is not after --since, so there are no calls to look at.")

    async def work(priced: Priced) -> Repricing:
        from gateway.ledger.reprice import reprice as again
        from gateway.store.price_adjustments import Which

        return await again(
            priced.database,
            priced.pricing,
            priced.catalogues,
            Which(since=since, until=end, **which),
            reason=reason,
            apply=command_actor() if apply else None,
            books=priced.books,
        )

    found = with_pricing(ctx, work)
    rows = [
        {
            "tenant": tenant,
            "model": model,
            "calls": total.calls,
            "cost": money(total.cost),
            "charge": money(total.charge),
        }
        for (tenant, model), total in sorted(found.by_model.items())
    ]
    print_rows(rows, as_json=as_json, none="No call is priced otherwise today.")
    if found.without_price:
        click.echo(f"{found.without_price} calls have no known price today, and stay as they are.", err=True)
    if rows and not apply:
        click.echo("Nothing was written. Write these adjustments with --apply.", err=True)
