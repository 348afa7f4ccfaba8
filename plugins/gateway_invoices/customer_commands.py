"""`gateway invoices customer`: to whom invoices go."""

from __future__ import annotations

from typing import Any, get_args

import click
import msgspec

from gateway.commands import command_actor
from gateway.errors import InvalidRequest
from gateway.known import check_tenant
from gateway_invoices.book import Book
from gateway_invoices.config import Language
from gateway_invoices.customers import Customer, read_customer, set_customer
from gateway_invoices.drafting import entity_named
from gateway_invoices.running import Desk, run


@click.command()
@click.argument("tenant")
@click.option("--name", help="The legal name.")
@click.option("--address", multiple=True, help="A line below the name; may be repeated.")
@click.option("--country", help="As ISO 3166 has it: DE.")
@click.option("--region", help="A part of the country for taxes, as CA.")
@click.option("--tax-id", help="Its tax number, or VAT id.")
@click.option("--email", help="Where it is written to.")
@click.option("--language", type=click.Choice(get_args(Language)), help="In which its invoices are.")
@click.option("--entity", help="Who invoices it; unless told, the first of the config.")
@click.pass_obj
def customer(desk: Desk, tenant: str, address: tuple[str, ...], **given: Any) -> None:
    """Show the customer data of TENANT, or change what is given of it."""
    changes = {name: value for name, value in given.items() if value is not None}
    if address:
        changes["address"] = address

    async def work(book: Book) -> Customer | None:
        await check_tenant(book.database, tenant)
        present = await read_customer(book.database, tenant)
        if not changes:
            return present
        if changes.get("entity"):
            entity_named(book.config, changes["entity"])
        new = _changed(present, changes)
        await set_customer(book.database, tenant, new, actor=command_actor())
        return new

    found = run(desk, work)
    if found is None:
        raise InvalidRequest(
            f"Tenant {tenant!r} has no customer data: set it with --name, --address and --country.",
            status=404,
            code="not_found",
        )
    click.echo(msgspec.json.format(msgspec.json.encode(found)))


def _changed(present: Customer | None, changes: dict[str, Any]) -> Customer:
    if present is not None:
        return msgspec.structs.replace(present, **changes)
    if missing := [name for name in ("name", "address", "country") if name not in changes]:
        raise click.UsageError(f"The first time it needs {', '.join(f'--{name}' for name in missing)}.")
    return Customer(**changes)
