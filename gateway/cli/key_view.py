"""Shows API keys on the terminal. A key itself is shown once, when it is made."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.times import rfc3339

if TYPE_CHECKING:
    from gateway.store.key_rows import ApiKey

_COLOURS: Final = {"active": "green", "expired": "yellow", "revoked": "red"}


def record(row: ApiKey) -> dict[str, Any]:
    """What programs get of a key."""
    from gateway.store.key_rows import settings_of, shown

    rights = ("scopes", "models", "endpoints", "networks", "limits", "budget")
    held = shown(settings_of(row))
    return {
        "id": row.id,
        "name": row.name,
        "tenant": row.tenant,
        "owner": row.owner,
        "hint": row.hint,
        "state": row.state(time.time()),
        **{name: held.get(name) for name in rights},
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
        "revoked_at": rfc3339(row.revoked_at),
        "last_used_at": rfc3339(row.last_used_at),
    }


def show_new(row: ApiKey, key: str, *, as_json: bool) -> None:
    """Show a key with its secret."""
    if as_json:
        click.echo(json.dumps({**record(row), "key": key}))
        return
    ends = f", until {rfc3339(row.expires_at)}" if row.expires_at else ""
    click.echo(f"API key '{row.name}' ({row.id}), tenant {row.tenant}{ends}:\n")
    click.secho(f"  {key}\n", bold=True)
    click.echo(
        "Keep it now: only a digest is stored, it cannot be shown again. To use it with an OpenAI SDK:\n"
    )
    click.echo("  export OPENAI_BASE_URL=http://127.0.0.1:8080/v1")
    click.echo(f"  export OPENAI_API_KEY={key}\n")


def show_one(row: ApiKey, *, as_json: bool) -> None:
    """Show all that is known of one key."""
    fields = record(row)
    if as_json:
        click.echo(json.dumps(fields))
        return
    usual = {
        "scopes": "calls.make",
        "models": "all",
        "endpoints": "all",
        "networks": "all",
        "limits": "none",
        "budget": "none",
        "expires_at": "never",
        "last_used_at": "never",
    }
    for name, value in fields.items():
        said = usual.get(name) if value is None else _said(value)
        if said is not None:
            click.echo(f"{name.replace('_', ' '):<12}  {said}")


def print_table(rows: Sequence[ApiKey]) -> None:
    """Print a table without the columns that say nothing, nor those that do not fit."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    now = time.time()
    columns = {
        "id": ([Text(row.id, "cyan") for row in rows], ""),
        "name": ([Text(row.name) for row in rows], ""),
        "tenant": ([Text(row.tenant) for row in rows], "default"),
        "owner": ([Text(row.owner or "") for row in rows], ""),
        "key": ([Text(row.hint) for row in rows], ""),
        "state": ([Text(state := row.state(now), _COLOURS[state]) for row in rows], "active"),
        "models": ([Text("all" if row.models is None else ", ".join(row.models)) for row in rows], "all"),
        "created": ([Text((rfc3339(row.created_at) or "")[:10]) for row in rows], ""),
        "expires": ([Text((rfc3339(row.expires_at) or "never")[:10]) for row in rows], "never"),
        "last used": ([Text((rfc3339(row.last_used_at) or "never")[:10]) for row in rows], "never"),
    }
    shown = {name: cells for name, (cells, usual) in columns.items() if any(c.plain != usual for c in cells)}
    console = Console()
    widths = {name: max(cell_len(name), *(cell.cell_len for cell in cells)) for name, cells in shown.items()}
    for name in ("created", "models", "owner", "tenant", "last used", "expires", "key", "name"):
        if sum(widths[column] + 2 for column in shown) - 2 > console.width:
            shown.pop(name, None)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in shown:
        table.add_column(name, no_wrap=True)
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*cells)
    console.print(table)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items() if part is not None)  # pyright: ignore[reportUnknownVariableType] - JSON
    return ", ".join(value) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType]
