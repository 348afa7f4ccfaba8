"""Shows credentials in the vault on the terminal: never a secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.times import rfc3339

if TYPE_CHECKING:
    from gateway.store.credentials import StoredCredential

_COLOURS: Final = {"working": "green", "untried": "", "failing": "red", "disabled": "yellow"}


def show(row: StoredCredential, what: str, *, as_json: bool) -> None:
    """Say what was done to one."""
    if as_json:
        click.echo(json.dumps(record(row)))
    else:
        owner = f", tenant {row.tenant}" if row.tenant else ""
        click.echo(f"{what} {row.id} ({row.provider}, {row.name}, {row.hint}{owner}): {row.state}.")


def record(row: StoredCredential) -> dict[str, Any]:
    """What programs get of one."""
    names = ("id", "tenant", "provider", "kind", "name", "hint", "weight", "enabled", "state", "last_error")
    times = ("last_error_at", "checked_at", "created_at", "updated_at")
    return {name: getattr(row, name) for name in names} | {
        name: rfc3339(getattr(row, name)) for name in times
    }


def print_table(rows: Sequence[StoredCredential]) -> None:
    """Print a table without the columns that are empty."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns: dict[str, Callable[[StoredCredential], Text]] = {
        "id": lambda row: Text(row.id, "cyan"),
        "provider": lambda row: Text(row.provider),
        "kind": lambda row: Text("" if row.kind == "api_key" else row.kind),
        "name": lambda row: Text(row.name),
        "tenant": lambda row: Text(row.tenant),
        "secret": lambda row: Text(row.hint),
        "weight": lambda row: Text(str(row.weight)),
        "state": lambda row: Text(row.state, _COLOURS[row.state]),
        "last error": lambda row: Text(row.last_error or ""),
    }
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = {name: cell for name, cell in columns.items() if any(cell(row).plain for row in rows)}
    for name in shown:
        table.add_column(name, no_wrap=name != "last error")
    for row in rows:
        table.add_row(*(cell(row) for cell in shown.values()))
    Console().print(table)
