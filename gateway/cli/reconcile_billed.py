"""`gateway reconcile --billed`: what plugins have billed, beside the ledger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
import msgspec

from gateway.cli.options import registry_of
from gateway.commands import run_on

if TYPE_CHECKING:
    from gateway.doors import Finding


def reconcile_billed(ctx: click.Context, since: float | None, until: float | None, *, as_json: bool) -> None:
    """Ask every plugin that compares, and print what it has found; ends with 1 when that is anything.

    Raises `GatewayError`.
    """
    registry = registry_of(ctx)
    comparisons = registry.facade.comparisons()
    if not comparisons:
        raise click.UsageError("No plugin of this config bills: [billing.invoices] and [billing.stripe] do.")

    context = registry.plugins[0].context

    async def work() -> list[Finding]:
        try:
            found: list[Finding] = []
            for one in comparisons:
                found += await one.compare(since or 0.0, time.time() if until is None else until)
            return found
        finally:
            await context.client.close()

    found = run_on(context.database, work, registry.facade.migrations())
    for one in found:
        if as_json:
            click.echo(msgspec.json.encode(one))
            continue
        calls = f"  ({', '.join(one.calls)})" if one.calls else ""
        click.echo(f"{one.book}  {one.tenant}  {one.object}: {one.problem}{calls}")
    if not as_json:
        differences = "1 difference" if len(found) == 1 else f"{len(found)} differences"
        click.echo(f"{differences}." if found else "What was billed is what the ledger has.")
    if found:
        ctx.exit(1)
