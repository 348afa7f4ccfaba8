"""Shows credentials in the vault on the terminal: never a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.times import rfc3339

if TYPE_CHECKING:
    from gateway.store.credentials import StoredCredential


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


def row_of(row: StoredCredential) -> dict[str, Any]:
    """What a table has room for."""
    return {
        "id": row.id,
        "provider": row.provider,
        "kind": "" if row.kind == "api_key" else row.kind,
        "name": row.name,
        "tenant": row.tenant,
        "secret": row.hint,
        "weight": row.weight,
        "state": row.state,
        "last_error": row.last_error,
    }
