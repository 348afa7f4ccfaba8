"""`gateway invoices`: draft, issue, look at, export, void, credit and prove invoices. The gateway need not run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec

from gateway.commands import command_actor
from gateway.errors import InvalidRequest
from gateway.shown import print_rows
from gateway_invoices.book import Book
from gateway_invoices.currency import minor_units
from gateway_invoices.customer_commands import customer
from gateway_invoices.exporting import MEDIA, Exporter
from gateway_invoices.item_commands import add
from gateway_invoices.printed import printed
from gateway_invoices.reading import day_of, list_invoices, read_invoice
from gateway_invoices.running import Desk, row_of, run, told
from gateway_invoices.runs import list_runs
from gateway_invoices.verify import verify

_number = click.argument("number")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class _AmountType(click.ParamType[Any]):
    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            return Decimal(str(value))
        except ArithmeticError:
            self.fail(f"{value!r} is no amount; write it as 12.50", param, ctx)


@click.command()
@click.argument("tenants", nargs=-1)
@click.option("--all", "everybody", is_flag=True, help="All tenants that have customer data.")
@click.option("--month", type=click.DateTime(["%Y-%m"]), help="A calendar month; unless told, the last one.")
@click.option(
    "--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="The first day, in place of a month."
)
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="The last day.")
@click.option("--entity", help="Who invoices; unless told, the customer's, or the first of the config.")
@_json
@click.pass_obj
def draft(
    desk: Desk,
    tenants: tuple[str, ...],
    everybody: bool,
    month: datetime | None,
    first: datetime | None,
    last: datetime | None,
    entity: str | None,
    as_json: bool,
) -> None:
    """Draft invoices for TENANTS. A draft can be looked at, drafted anew, and issued. Exits with 1 where none can be made."""
    if everybody == bool(tenants):
        raise click.UsageError("Name tenants, or give --all.")
    start, end = _period(month, first, last)

    drafts = run(
        desk, lambda book: book.draft_each(tenants, start, end, entity=entity, actor=command_actor())
    )
    for invoice in drafts.made:
        told(invoice, as_json=as_json)
    for tenant, problem in drafts.failed.items():
        click.echo(f"no draft for {tenant}: {problem}", err=True)
    if drafts.failed:
        raise click.exceptions.Exit(1)
    if not (drafts.made or as_json):
        days = f"{day_of(start)} to {day_of(end - 1)}"
        click.echo(f"Nothing to draft: who has customer data used nothing from {days}, or is invoiced.")


@click.command()
@click.argument("drafts", nargs=-1, required=True)
@_json
@click.pass_obj
def issue(desk: Desk, drafts: tuple[str, ...], as_json: bool) -> None:
    """Issue DRAFTS: they get their numbers, and are final."""
    for name in drafts:
        told(run(desk, lambda book, name=name: book.issue(name, actor=command_actor())), as_json=as_json)


@click.command()
@_number
@_json
@click.pass_obj
def pay(desk: Desk, number: str, as_json: bool) -> None:
    """Note that NUMBER was paid. Of one below zero or a credit note: that what it leaves was given back."""
    told(run(desk, lambda book: book.pay(number, actor=command_actor())), as_json=as_json)


@click.command()
@_number
@_json
@click.pass_obj
def void(desk: Desk, number: str, as_json: bool) -> None:
    """Void invoice NUMBER, or discard a draft by its id. Numbers are never used again."""
    told(run(desk, lambda book: book.void(number, actor=command_actor())), as_json=as_json)


@click.command()
@_number
@click.option("--amount", type=_AmountType(), help="With the tax; unless told, all that is left.")
@click.option("--reason", required=True, help="Stands on the credit note.")
@_json
@click.pass_obj
def credit(desk: Desk, number: str, amount: Decimal | None, reason: str, as_json: bool) -> None:
    """Issue a credit note for invoice NUMBER."""

    async def work(book: Book) -> Any:
        of = await read_invoice(book.database, number)
        try:
            minor = None if amount is None else minor_units(amount, of.currency)
        except ValueError as error:
            raise InvalidRequest(f"{error}.") from error
        return await book.credit(number, amount=minor, reason=reason, actor=command_actor())

    told(run(desk, work), as_json=as_json)


@click.command(name="list")
@click.option("--tenant", help="Only those of this tenant.")
@click.option(
    "--status", type=click.Choice(["draft", "issued", "paid", "void"]), help="Only those that are so."
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The most that are listed."
)
@_json
@click.pass_obj
def list_(desk: Desk, tenant: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List invoices, newest first. With --json one object per line."""
    found = run(desk, lambda book: list_invoices(book.database, tenant, limit=limit, status=status))
    if as_json:
        for invoice in found:
            told(invoice, as_json=True)
        return
    print_rows([*map(row_of, found)], as_json=False, none=_none(tenant, status))


def _none(tenant: str | None, status: str | None) -> str:
    of = "".join((f" of {tenant}" if tenant else "", f" that are {status}" if status else ""))
    return f"There are no invoices{of}. Draft those of last month: gateway invoices draft --all"


@click.command()
@_number
@_json
@click.pass_obj
def show(desk: Desk, number: str, as_json: bool) -> None:
    """Show invoice NUMBER, or a draft by its id."""
    invoice = run(desk, lambda book: read_invoice(book.database, number))
    told(invoice, as_json=as_json)
    if as_json:
        return
    for line in printed(invoice):
        click.echo(line)


@click.command()
@_number
@click.option(
    "--format", "form", type=click.Choice([*MEDIA]), default="pdf", show_default=True, help="What is written."
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file; `-` for standard output."
)
@click.pass_obj
def export(desk: Desk, number: str, form: Any, output: Path | None) -> None:
    """Write invoice NUMBER as PDF, HTML, CSV or JSON. Unless told, into a file of its name here."""
    invoice = run(desk, lambda book: read_invoice(book.database, number))
    data = desk.exporter.export(invoice, form)
    if str(output) == "-":
        sys.stdout.buffer.write(data)
        return
    path = output or Path(f"{invoice.name}.{form}")
    path.write_bytes(data)
    click.echo(str(path))


@click.command()
@_json
@click.pass_obj
def runs(desk: Desk, as_json: bool) -> None:
    """List the months that the gateway drafts by itself. The newest are first."""
    found = run(desk, lambda book: list_runs(book.database))
    rows = [msgspec.to_builtins(one) for one in found]
    none = "There are no runs. They begin with a table [billing.invoices.automatic] in the config."
    print_rows(rows, as_json=as_json, none=none)


@click.command(name="verify")
@click.argument("numbers", nargs=-1, required=True)
@_json
@click.pass_obj
def verify_(desk: Desk, numbers: tuple[str, ...], as_json: bool) -> None:
    """Prove that invoices NUMBERS are right. They are as they were issued, add up, and say what the ledger says.

    Exits with 1 if not. With --json one object per line.
    """
    wrong = False
    for number in numbers:
        problems = run(desk, lambda book, number=number: verify(book, number))
        wrong = wrong or bool(problems)
        if as_json:
            click.echo(json.dumps({"number": number, "ok": not problems, "problems": problems}))
            continue
        for problem in problems:
            click.echo(f"{number}: {problem}", err=True)
        if not problems:
            click.echo(f"{number} is right.")
    if wrong:
        raise click.exceptions.Exit(1)


def commands(book: Book, exporter: Exporter, migrations: Callable[[], Sequence[Path]]) -> click.Group:
    """Make `gateway invoices` for a book; `migrations` are those of all plugins."""
    return click.Group(
        "invoices",
        [draft, issue, pay, void, credit, list_, show, export, verify_, runs, customer, add],
        help="Draft, issue, export, void, credit and prove invoices.",
        context_settings={"obj": Desk(book, exporter, migrations)},
    )


def _period(month: datetime | None, first: datetime | None, last: datetime | None) -> tuple[float, float]:
    if (first is None) != (last is None) or (month is not None and first is not None):
        raise click.UsageError("Give --month, or both --from and --to.")
    if first is not None and last is not None:
        return _midnight(first), _midnight(last + timedelta(days=1))
    start = month or (datetime.now(UTC).replace(day=1) - timedelta(days=1)).replace(day=1)
    return _midnight(start), _midnight((start + timedelta(days=31)).replace(day=1))


def _midnight(day: datetime) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
