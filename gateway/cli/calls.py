"""`gateway calls`: the calls in the ledger. Reads the database, so the gateway need not run."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from gateway.cli.db import on_database
from gateway.cli.options import json_option
from gateway.cli.times import Moment
from gateway.errors import GatewayError
from gateway.types import NANO

if TYPE_CHECKING:
    from gateway.store import Database

_COLOURS = {"success": "green", "failed": "red", "cancelled": "yellow", "processing": "cyan"}
_STATUSES = click.Choice(list(_COLOURS))
_SHORTENED = "…"
_ID_END = 8
"""Characters of an id that a narrow table shows: its last ones, for the first are a time and much alike."""
_SECONDS_FROM = 10_000  # milliseconds


@click.group(invoke_without_command=True)
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many calls at most."
)
@click.option("--tenant", help="Only those of this tenant.")
@click.option("--key", help="Only those with this API key, by id or name.")
@click.option("--model", help="Only those for this model, as the client wrote it.")
@click.option("--status", type=_STATUSES, help="Only those in this state.")
@click.option(
    "--since", type=Moment(future=False), help="Only those received since then: 1h, 7d or an ISO time."
)
@click.option("--client-request-id", help="Only those with this x-client-request-id.")
@json_option
@click.pass_context
def calls(ctx: click.Context, as_json: bool, **which: Any) -> None:
    """List calls, the newest first. With --json one object per line.

    `gateway calls show ID` shows all there is to know of one.
    """
    if ctx.invoked_subcommand is not None:
        return
    from gateway.store.calls import as_record, list_calls

    async def work(database: Database) -> list[dict[str, Any]] | None:
        if database.dialect == "sqlite" and not await _has_tables(database):
            return None
        await _expect_tables(database)
        return [as_record(row) for row in await list_calls(database, **which)]

    records = on_database(ctx, work)
    if as_json:
        for record in records or ():
            click.echo(json.dumps(record))
    elif records:
        _print_table(records)
    else:
        click.echo("No calls yet." if records is None else "No calls.")


@calls.command()
@click.argument("id", metavar="ID")
@json_option
@click.pass_context
def show(ctx: click.Context, id: str, as_json: bool) -> None:
    """Show a call. ID may be the beginning of an id, or its end."""
    from gateway.store.calls import as_record, find_calls

    async def work(database: Database) -> list[dict[str, Any]]:
        await _expect_tables(database)
        return [as_record(row) for row in await find_calls(database, part)]

    part = id.removeprefix(_SHORTENED)
    records = on_database(ctx, work)
    if not records:
        raise GatewayError(f"No call has an id that begins or ends with '{part}'. List them: gateway calls")
    exact = [record for record in records if record["id"] == id]
    if len(records) > 1 and not exact:
        raise GatewayError(f"Several calls have an id like '{part}'; write more of it.")
    record = (exact or records)[0]
    if as_json:
        click.echo(json.dumps(record))
    else:
        _print_details(record)


async def _has_tables(database: Database) -> bool:
    from gateway.store.migrate import current

    return any((await current(database)).values())


async def _expect_tables(database: Database) -> None:
    if not await _has_tables(database):
        raise GatewayError(
            f"{database.shown} holds no ledger yet: gateway serve, or gateway db upgrade, makes one."
        )


def _print_table(records: list[dict[str, Any]]) -> None:
    """Print a table as wide as the terminal: the narrower, the fewer columns."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = [column for column in _COLUMNS if column.from_width <= console.width < column.to_width]
    for column in columns:
        justify = "right" if column.is_number else "left"
        table.add_column(column.heading, justify=justify, no_wrap=True, overflow="ellipsis")
    for record in records:
        cells = (Text(_printable(column.text(record)), column.style(record)) for column in columns)
        table.add_row(*cells)
    console.print(table)


def _print_details(record: dict[str, Any]) -> None:
    """Print one line for each thing that is known of the call."""
    width = max(map(len, record))
    for name, value in record.items():
        if value is None:
            continue
        if name == "error":
            text = f"{value['code']}: {value['message']}"
        elif name == "cost":
            text = _cost(record)
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
        colour = _COLOURS[record["status"]] if name == "status" else None
        click.echo(f"{name:<{width}}  {click.style(_printable(text), fg=colour)}")


def _short(id: str) -> str:
    return id if len(id) <= _ID_END else _SHORTENED + id[-_ID_END:]


def _received(record: dict[str, Any]) -> str:
    return record["received_at"][:19].replace("T", " ")


def _reached(record: dict[str, Any]) -> str:
    return f"{record['provider']}/{record['upstream_model']}" if record["provider"] else ""


def _tokens(record: dict[str, Any]) -> str:
    if record["prompt_tokens"] is None:
        return ""
    return f"{'~' * record['estimated']}{record['prompt_tokens']} + {record['completion_tokens']}"


def _cost(record: dict[str, Any]) -> str:
    return "" if record["cost_nano"] is None else f"{Decimal(record['cost_nano']) / NANO:f}"


def _duration(record: dict[str, Any]) -> str:
    milliseconds = record["duration_ms"]
    if milliseconds is None:
        return ""
    return f"{milliseconds:.0f} ms" if milliseconds < _SECONDS_FROM else f"{milliseconds / 1000:.1f} s"


def _why(record: dict[str, Any]) -> str:
    error: dict[str, str | None] = record["error"] or {}
    return error.get("code") or ""


def _printable(text: str) -> str:
    """The text without characters that would do something to a terminal: clients chose part of it."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


class _Column(Struct, frozen=True):
    heading: str
    text: Callable[[dict[str, Any]], str]
    from_width: int = 0
    to_width: int = 10_000
    is_number: bool = False
    style: Callable[[dict[str, Any]], str] = lambda _: ""


_COLUMNS = (
    _Column("received (UTC)", _received, from_width=96),
    _Column("received", lambda record: _received(record)[11:], to_width=96),
    _Column("id", lambda record: _short(record["id"]), to_width=80, style=lambda _: "cyan"),
    _Column("id", lambda record: record["id"], from_width=80, style=lambda _: "cyan"),
    _Column("status", lambda record: record["status"], style=lambda record: _COLOURS[record["status"]]),
    _Column("model", lambda record: record["model"]),
    _Column("reached", _reached, from_width=120),
    _Column("tokens", _tokens, from_width=110, is_number=True),
    _Column("cost", _cost, from_width=130, is_number=True),
    _Column("took", _duration, from_width=50, is_number=True),
    _Column("error", _why, from_width=140, style=lambda _: "red"),
)
