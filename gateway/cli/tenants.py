"""`gateway tenants`: create, change, suspend, erase and export tenants. Works on the database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from gateway.cli.options import config_of, json_option
from gateway.cli.times import rfc3339
from gateway.cli.work import on_database
from gateway.commands import command_actor
from gateway.shown import print_fields, print_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.store import Database
    from gateway.store.tenants import Tenant, TenantSettings

_TENANT = click.argument("tenant")
_LIMITS = ("requests_per_minute", "tokens_per_minute", "concurrent")


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for all that may be set."""
    count = click.IntRange(0)
    for option in reversed(
        (
            click.option("--name", help="What people see."),
            click.option(
                "--model", "models", multiple=True, help="Allow this model or `prefix*`; repeatable."
            ),
            click.option("--all-models", is_flag=True, help="Allow all models."),
            click.option("--provider", "providers", multiple=True, help="Allow this provider; repeatable."),
            click.option("--all-providers", is_flag=True, help="Allow all providers."),
            click.option("--requests-per-minute", type=count, help="0 for no limit."),
            click.option("--tokens-per-minute", type=count, help="0 for no limit."),
            click.option("--concurrent", type=count, help="Calls at the same time; 0 for no limit."),
            click.option(
                "--retention-days", type=count, help="How long calls keep what is personal; 0 for good."
            ),
        )
    ):
        command = option(command)
    return command


@click.group()
def tenants() -> None:
    """Create, change, suspend, erase and export tenants."""


@tenants.command()
@click.argument("tenant", metavar="ID")
@_settings_options
@json_option
@click.pass_context
def create(ctx: click.Context, tenant: str, as_json: bool, **options: Any) -> None:
    """Create a tenant. ID is what keys, calls and reports name it by."""
    from gateway.store.tenants import UNCHANGED, create_tenant

    settings = _settings(options, UNCHANGED, None)
    _warn_of_limits(ctx, options)
    made = on_database(ctx, lambda db: create_tenant(db, tenant, settings, actor=command_actor()))
    print_fields(_record(made), as_json=as_json)


@tenants.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List tenants, oldest first. With --json one object per line."""
    from gateway.store.tenants import list_tenants

    rows = on_database(ctx, list_tenants)
    print_rows(
        [_record(row) for row in rows],
        as_json=as_json,
        none="No tenants yet. The first key creates 'default'; or: gateway tenants create acme",
    )


@tenants.command()
@_TENANT
@json_option
@click.pass_context
def show(ctx: click.Context, tenant: str, as_json: bool) -> None:
    """Show a tenant and what it may do."""
    from gateway.store.tenants import get_tenant

    print_fields(_record(on_database(ctx, lambda db: get_tenant(db, tenant))), as_json=as_json)


@tenants.command("set")
@_TENANT
@_settings_options
@json_option
@click.pass_context
def set_(ctx: click.Context, tenant: str, as_json: bool, **options: Any) -> None:
    """Change what a tenant may do. Running gateways follow within a second."""
    from gateway.store.tenants import UNCHANGED, change_tenant, get_tenant

    _warn_of_limits(ctx, options)

    async def work(database: Database) -> Tenant:
        before = await get_tenant(database, tenant)
        settings = _settings(options, UNCHANGED, before)
        return await change_tenant(
            database, tenant, settings, actor=command_actor(), expected=(before.revision,)
        )

    print_fields(_record(on_database(ctx, work)), as_json=as_json)


@tenants.command()
@_TENANT
@click.pass_context
def suspend(ctx: click.Context, tenant: str) -> None:
    """Refuse a tenant's calls, until it is resumed."""
    from gateway.store.tenants import suspend_tenant

    operator = config_of(ctx).settings.identity.operator_tenant
    on_database(ctx, lambda db: suspend_tenant(db, tenant, operator_tenant=operator, actor=command_actor()))
    click.echo(f"Suspended {tenant}. Serve it again: gateway tenants resume {tenant}")


@tenants.command()
@_TENANT
@click.pass_context
def resume(ctx: click.Context, tenant: str) -> None:
    """Serve a suspended tenant again."""
    from gateway.store.tenants import resume_tenant

    on_database(ctx, lambda db: resume_tenant(db, tenant, actor=command_actor()))
    click.echo(f"{tenant} is served again.")


@tenants.command()
@_TENANT
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def erase(ctx: click.Context, tenant: str, yes: bool) -> None:
    """Erase a tenant for good. Members, keys, credentials and contents go, and what is personal in its calls.

    What its calls cost stays in the ledger. Users who are in no other tenant are erased too.
    """
    from gateway.store.erasure import erase_tenant

    if not yes:
        click.confirm(f"Erase the tenant {tenant!r}? Nothing brings it back.", abort=True)
    operator = config_of(ctx).settings.identity.operator_tenant
    done = on_database(
        ctx, lambda db: erase_tenant(db, tenant, operator_tenant=operator, actor=command_actor())
    )
    click.echo(f"Erased {tenant}: {done.users} users; what was personal in {done.calls} calls.")


@tenants.command()
@_TENANT
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; else standard output."
)
@click.pass_context
def export(ctx: click.Context, tenant: str, output: Path | None) -> None:
    """Write all that a tenant has, without secrets. Each line is a JSON object, with the `kind` of what it tells."""
    from gateway.store.export import export_tenant

    async def work(database: Database) -> int:
        lines, count = export_tenant(database, tenant), 0
        first = await anext(lines)  # an unknown tenant leaves no file
        with _opened(output) as file:
            file.write(first)
            async for line in lines:
                count += 1
                file.write(line)
        return count + 1

    count = on_database(ctx, work)
    if output is not None:
        click.echo(f"{count} objects in {output}.")


def _opened(output: Path | None) -> BinaryIO:
    return output.open("wb") if output is not None else open(sys.stdout.fileno(), "wb", closefd=False)


def _settings(options: dict[str, Any], unchanged: TenantSettings, before: Tenant | None) -> TenantSettings:
    """What the options say. Limits are stored together, so those that are not given stay as they were."""
    from msgspec.structs import asdict, replace

    from gateway.types import CallLimits

    changed: dict[str, Any] = {}
    if options["name"] is not None:
        changed["name"] = options["name"]
    for what in ("models", "providers"):
        if options[f"all_{what}"]:
            changed[what] = None
        elif options[what]:
            changed[what] = options[what]
    if options["retention_days"] is not None:
        changed["retention_days"] = options["retention_days"] or None
    limits = {name: options[name] or None for name in _LIMITS if options[name] is not None}
    if limits:
        present = {} if before is None or before.limits is None else asdict(before.limits)
        together = {**present, **limits}
        changed["limits"] = CallLimits(**together) if any(together.values()) else None
    return replace(unchanged, **changed)


def _warn_of_limits(ctx: click.Context, options: dict[str, Any]) -> None:
    enabled = any(table.plugin == "middleware.ratelimit" for table in config_of(ctx).plugins)
    if not enabled and any(options[name] for name in _LIMITS):
        click.echo("Limits hold only where [middleware.ratelimit] is in the config; it is not.", err=True)


def _record(row: Tenant) -> dict[str, Any]:
    from msgspec.structs import asdict

    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "models": row.models,
        "providers": row.providers,
        "limits": None if row.limits is None else asdict(row.limits),
        "retention_days": row.retention_days,
        "created_at": rfc3339(row.created_at),
        "suspended_at": rfc3339(row.suspended_at),
        "erased_at": rfc3339(row.erased_at),
    }
