"""Rows on the terminal: a table for people, one JSON object per line for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

_COLOURS: Final = {
    "active": "green",
    "working": "green",
    "open": "green",
    "paid": "green",
    "accepted": "cyan",
    "trialing": "cyan",
    "past_due": "yellow",
    "suspended": "yellow",
    "disabled": "yellow",
    "expired": "yellow",
    "failing": "red",
    "revoked": "red",
    "erased": "red",
}
"""Of the words that a column `state` may hold."""
_WHOLE: Final = frozenset({"id", "user"})
"""Columns that are copied into other commands."""
_NUMBER: Final = re.compile(r"(-?[\d.]+ ?%?)?")


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, none: str) -> None:
    """Print rows with the same keys; as a table without the columns that are empty. `none` says that there are none."""
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        click.echo(none)
        return
    from rich.console import Console  # noqa: PLC0415 - slow, and only for tables
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    names = [name for name in rows[0] if any(_text(row[name]) for row in rows)]
    for name in names:
        numbers = all(_NUMBER.fullmatch(_text(row[name])) for row in rows)
        table.add_column(
            name.removesuffix("_at").replace("_", " "),
            no_wrap=numbers or name in _WHOLE,
            justify="right" if numbers else "left",
            overflow="fold",
        )
    for row in rows:
        cells = [Text(_text(row[name])[: 10 if name.endswith("_at") else None]) for name in names]
        for name, cell in zip(names, cells, strict=True):
            if name in _WHOLE:
                cell.stylize("cyan")
            elif name == "state":
                cell.stylize(_COLOURS.get(cell.plain, ""))
        table.add_row(*cells)
    Console().print(table)


def print_fields(row: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one object: a line per field that has something."""
    if as_json:
        click.echo(json.dumps(row))
        return
    width = max(map(len, row))
    for name, value in row.items():
        if text := _text(value):
            shown = click.style(text, fg=_COLOURS.get(text) if name == "state" else None)
            click.echo(f"{click.style(f'{name:<{width}}', fg='bright_black')}  {shown}")


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, Mapping):
        pairs: Mapping[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - from JSON
        return ", ".join(f"{name}: {part}" for name, part in pairs.items() if part is not None)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return str(value)
