"""What the commands have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from msgspec import Struct

from gateway.commands import run_on
from gateway_invoices.book import Book
from gateway_invoices.exporting import Exporter
from gateway_invoices.reading import Invoice, day_of
from gateway_invoices.tabular import as_object

T = TypeVar("T")


class Desk(Struct, frozen=True):
    """What each command gets."""

    book: Book
    exporter: Exporter
    migrations: Callable[[], Sequence[Path]]
    """Of all plugins: invoices are made of what others keep, too."""


def run(desk: Desk, work: Callable[[Book], Awaitable[T]]) -> T:
    """Run on the database, brought up to date first. Raises `Unavailable`, and what the work raises."""
    return run_on(desk.book.database, lambda: work(desk.book), desk.migrations())


def told(invoice: Invoice, *, as_json: bool) -> None:
    """Print an invoice in a line."""
    shown = as_object(invoice)
    if as_json:
        click.echo(msgspec.json.encode(shown))
        return
    period = f"{shown['period_start']}…{shown['period_end']}"
    due = f", {shown['due']} due" if shown["carried"] else ""
    click.echo(
        f"{invoice.name}  {invoice.status:<6}  {invoice.tenant}  {period}  {invoice.currency} {shown['total']}{due}"
    )
    if invoice.status == "draft" and shown["unpriced_calls"]:
        click.echo(f"  {shown['unpriced_calls']} calls have no price and are not on it", err=True)


def row_of(invoice: Invoice) -> dict[str, Any]:
    """What of an invoice a table has room for."""
    shown = as_object(invoice)
    return {
        "id": invoice.name,
        "state": invoice.status,
        "tenant": invoice.tenant,
        "period": _period(invoice),
        "total": f"{shown['total']} {invoice.currency}",
        "open": shown["open"] if invoice.open else None,
    }


def _period(invoice: Invoice) -> str:
    """`2026-10` for a whole month, else `2026-10-01…2026-10-15`."""
    first, after = day_of(invoice.period_start), day_of(invoice.period_end)
    next_month = day_of(invoice.period_start + 32 * 86_400)[:7]
    whole = first.endswith("-01") and after == f"{next_month}-01"
    return first[:7] if whole else f"{first}…{day_of(invoice.period_end - 1)}"
