"""`gateway invoices add`: what the ledger does not know."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

import click

from gateway.commands import command_actor
from gateway.known import check_tenant
from gateway_invoices.book import Book
from gateway_invoices.items import ItemKind, NewItem, add_item
from gateway_invoices.running import Desk, run


class _NumberType(click.ParamType[Any]):
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            self.fail(f"{value!r} is no number; write it as 12.50", param, ctx)
        return number


@click.command()
@click.argument("tenant")
@click.argument("text")
@click.argument("price", type=_NumberType())
@click.option(
    "--kind",
    type=click.Choice(get_args(ItemKind)),
    default="fee",
    show_default=True,
    help="What the line is.",
)
@click.option("--quantity", type=_NumberType(), default="1", show_default=True, help="How many.")
@click.option("--currency", required=True, help="That of the entity which invoices: EUR.")
@click.option("--reference", required=True, help="The reason, told only once: again, nothing happens.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_obj
def add(desk: Desk, tenant: str, text: str, price: Decimal, as_json: bool, **more: Any) -> None:
    """Add a line to the next invoice of TENANT: TEXT, at PRICE each. After `--`, a PRICE below zero takes off."""
    new = NewItem(text=text, unit_price=price, **more)

    async def work(book: Book) -> bool:
        await check_tenant(book.database, tenant)
        known = {entity.currency for entity in book.config.entities.values()}
        if new.currency not in known:
            raise click.UsageError(
                f"No entity invoices in {new.currency!r}, but in {', '.join(sorted(known))}."
            )
        return await add_item(book.database, tenant, new, actor=command_actor())

    done = run(desk, work)
    if as_json:
        click.echo(json.dumps({"tenant": tenant, "reference": new.reference, "done": done}))
    else:
        click.echo("Added." if done else "Nothing to do: this was done before.")
