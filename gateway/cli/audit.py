"""`gateway audit`: list, verify and export the audit log. Works on the database, so the gateway need not run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import IO, TYPE_CHECKING, Any

import click
from msgspec.structs import asdict

from gateway.cli.options import json_option
from gateway.cli.times import Moment, rfc3339
from gateway.cli.work import on_database

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.audit_entries import Entry


class Hash(click.ParamType[bytes]):
    """The hash of an entry, in hexadecimal."""

    name = "hash"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        try:
            digest = bytes.fromhex(str(value))
        except ValueError:
            digest = b""
        if len(digest) != 32:  # noqa: PLR2004 - bytes of SHA-256
            self.fail("a hash is 64 hexadecimal digits, as `gateway audit verify` prints them", param, ctx)
        return digest


@click.group()
def audit() -> None:
    """List, verify and export the audit log: who did what to which object."""


@audit.command("list")
@click.option("--tenant", help="Only of this tenant.")
@click.option("--actor", help="Only what this user, key, component or login did.")
@click.option("--action", help="Only this, as key.revoke; `key.*` for all that is done to keys.")
@click.option("--object", "object_id", help="Only what was done to this id.")
@click.option("--since", type=Moment(future=False), help="Only from then on: 7d, 12h or an ISO time.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@json_option
@click.pass_context
def list_(ctx: click.Context, tenant: str | None, limit: int, as_json: bool, **given: Any) -> None:
    """List entries, newest first. With --json one object per line, with what was there before and after."""
    from gateway.store.audit_entries import EntryFilter, list_all_entries, list_entries

    which = EntryFilter(
        actor=given["actor"], action=given["action"], object=given["object_id"], since=given["since"]
    )

    async def work(database: Database) -> list[Entry]:
        if tenant is None:
            return await list_all_entries(database, which, limit=limit)
        return await list_entries(database, tenant, which, limit=limit)

    entries = on_database(ctx, work)
    if as_json:
        for entry in entries:
            click.echo(json.dumps(_record(entry)))
    elif entries:
        _print_table(entries)
    else:
        click.echo("No entries.")


@audit.command()
@click.option("--expect", type=Hash(), help="A hash noted earlier, which must be in the chain.")
@json_option
@click.pass_context
def verify(ctx: click.Context, expect: bytes | None, as_json: bool) -> None:
    """Walk the chain of hashes. Names the first entry that is missing or was changed; then ends with 1.

    Note the hash that it prints somewhere else: held against it later, even a chain made anew is found out.
    """
    from gateway.store.audit_chain import verify as walk

    verdict = on_database(ctx, lambda database: walk(database, expect=expect))
    if as_json:
        said = {"ok": verdict.problem is None, "entries": verdict.count, "head": verdict.head.hex()}
        click.echo(json.dumps({**said, "problem": verdict.problem}))
    elif verdict.problem is None:
        click.echo(f"The audit log is unbroken: {verdict.count} entries, the last with the hash")
        click.echo(verdict.head.hex())
    else:
        click.echo(f"gateway: the audit log is broken: {verdict.problem}", err=True)
    if verdict.problem is not None:
        ctx.exit(1)


@audit.command()
@click.option(
    "-o",
    "--output",
    type=click.File("w", encoding="utf-8"),
    default="-",
    help="A file.  [default: the terminal]",
)
@click.pass_context
def export(ctx: click.Context, output: IO[str]) -> None:
    """Write all entries, oldest first. Each is a line of JSON, with the hashes by which others can verify them.

    A hash is SHA-256 over the bytes of the one before (32 zero bytes for the first) and the entry without `previous`
    and `hash`, as JSON without spaces and with sorted keys.
    """
    from gateway.store.audit_chain import rows

    async def work(database: Database) -> None:
        async with aclosing(rows(database)) as found:
            async for row in found:
                hashes = {name: bytes(row[name]).hex() for name in ("previous", "hash")}
                output.write(json.dumps({**row, **hashes}, ensure_ascii=False) + "\n")

    on_database(ctx, work)


def _record(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "at": rfc3339(entry.at)}


def _print_table(entries: Sequence[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("#", "at", "tenant", "by", "action", "object"):
        table.add_column(name, no_wrap=name != "object")
    for entry in entries:
        table.add_row(
            *(Text(str(entry.position)), Text((rfc3339(entry.at) or "")[:19]), Text(entry.tenant)),
            *(Text(f"{entry.actor_kind} {entry.actor}"), Text(entry.action, "cyan"), Text(entry.object)),
        )
    Console().print(table)
