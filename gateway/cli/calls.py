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
    """Print a table that fits the terminal: fewer columns, then short ids, then cut names."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    columns = [column for column in _COLUMNS if column.from_width <= console.width < column.to_width]
    texts = {column.heading: [_printable(column.text(record)) for record in records] for column in columns}
    gaps = 2 * (len(columns) - 1)
    if sum(map(_width, texts.items())) + gaps > console.width:
        texts["id"] = [_short(text) for text in texts["id"]]
    elastic = [_width((column.heading, texts[column.heading])) for column in columns if column.is_elastic]
    room = console.width - gaps - (sum(map(_width, texts.items())) - sum(elastic))
    longest = _longest(elastic, room)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.is_number else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=longest if column.is_elastic else None,
        )
    for number, record in enumerate(records):
        cells = (Text(texts[column.heading][number], column.style(record)) for column in columns)
        table.add_row(*cells)
    console.print(table)


def _longest(widths: list[int], room: int) -> int:
    """How wide the widest of some columns may be so that all have room."""
    fitting = (limit for limit in range(room, 0, -1) if sum(min(limit, width) for width in widths) <= room)
    return next(fitting, 1)


def _width(column: tuple[str, list[str]]) -> int:
    """How many cells of a terminal the heading and the texts below it need."""
    from rich.cells import cell_len

    heading, texts = column
    return max(cell_len(heading), *map(cell_len, texts))


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
        elif name == "units":
            text = ", ".join(f"{count} {unit}" for unit, count in value.items())
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
        colour = _COLOURS[record["status"]] if name == "status" else None
        click.echo(f"{name:<{width}}  {click.style(_printable(text), fg=colour)}")


def _short(id: str) -> str:
    return id if len(id) <= _ID_END else _SHORTENED + id[-_ID_END:]


def _received(record: dict[str, Any]) -> str:
    return record["received_at"][:19].replace("T", " ")


def _caller(record: dict[str, Any]) -> str:
    return record["key_name"] or record["user"] or record["key"] or ""


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
    if milliseconds >= _SECONDS_FROM:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.{1 if milliseconds < 10 else 0}f} ms"  # noqa: PLR2004 - two digits are enough to read


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
    is_elastic: bool = False
    """Whether it may be cut to make room for the others."""
    style: Callable[[dict[str, Any]], str] = lambda _: ""


_COLUMNS = (
    _Column("received (UTC)", _received, from_width=96),
    _Column("received", lambda record: _received(record)[11:], to_width=96),
    _Column("id", lambda record: record["id"], style=lambda _: "cyan"),
    _Column("status", lambda record: record["status"], style=lambda record: _COLOURS[record["status"]]),
    _Column("model", lambda record: record["model"], is_elastic=True),
    _Column("by", _caller, from_width=120, is_elastic=True),
    _Column("reached", _reached, from_width=130, is_elastic=True),
    _Column("tokens", _tokens, from_width=110, is_number=True),
    _Column("cost", _cost, from_width=100, is_number=True),
    _Column("took", _duration, from_width=50, is_number=True),
    _Column("error", _why, from_width=140, is_elastic=True, style=lambda _: "red"),
)
