"""`gateway credentials`: credentials of providers in the vault. Works on the database, so the gateway may run or not."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.credential_fields import ask_fields
from gateway.cli.credentials_view import record, row_of, show
from gateway.cli.options import config_of, json_option
from gateway.cli.vault import opened_vault
from gateway.cli.work import on_database
from gateway.commands import command_actor
from gateway.shown import print_rows

if TYPE_CHECKING:
    from gateway.protocols import Provider
    from gateway.store import Database
    from gateway.store.credentials import StoredCredential

_ID = click.argument("credential", metavar="ID")
_KIND = click.option(
    "--kind",
    help="Which kind of credential it is, where the provider takes several and the fields do not tell.",
)
_FIELD = click.option(
    "--field", "fields", metavar="NAME=VALUE", multiple=True, help="A part of it that is no secret, as an id."
)
_CHECK = click.option(
    "--check/--no-check",
    "checked",
    default=True,
    help="Make a real call with it first, and refuse what fails.",
)


@click.group()
def credentials() -> None:
    """Add, list, check and change credentials of providers in the vault."""


@credentials.command()
@click.argument("provider")
@click.option("--name", default="default", show_default=True, help="What it is called in lists.")
@click.option("--tenant", default="", help="Whose it is. Default: the operator's, which all tenants use.")
@click.option("--weight", default=1, show_default=True, help="Its share of the calls, 1 to 100.")
@_KIND
@_FIELD
@_CHECK
@json_option
@click.pass_context
def add(  # noqa: PLR0913 - one for each option
    ctx: click.Context,
    provider: str,
    *,
    name: str,
    tenant: str,
    weight: int,
    kind: str | None,
    fields: tuple[str, ...],
    checked: bool,
    as_json: bool,
) -> None:
    """Seal a credential for PROVIDER. That is the name of a table in plugins.toml.

    Secrets are asked for, or read from standard input: one secret as it is, several as a JSON object by their names.
    """
    from gateway.store.tenants import get_tenant
    from gateway.vault.credentials import NewCredential, add, require
    from gateway.vault.given import read_given
    from gateway.vault.providers import provider_of

    async def work(database: Database) -> StoredCredential:
        vault = await opened_vault(ctx)
        vault.current()  # without a key nothing is asked for
        if tenant:
            await get_tenant(database, tenant)
        async with _providers(ctx, database) as providers:
            service = provider_of(providers, provider)
            given = read_given(service, ask_fields(service, kind, fields))
            tried = await require(service, given) if checked else None
        new = NewCredential(tenant=tenant, provider=provider, name=name, given=given, weight=weight)
        return await add(database, vault, new, actor=command_actor(), tried=tried)

    show(on_database(ctx, work), "Added", as_json=as_json)


@credentials.command("list")
@click.option("--tenant", help="Only those of this tenant; '' for the operator's.")
@json_option
@click.pass_context
def list_(ctx: click.Context, tenant: str | None, as_json: bool) -> None:
    """List credentials, oldest first: never their secrets. With --json one object per line."""
    from gateway.store.credentials import all_credentials, list_credentials

    async def work(database: Database) -> list[StoredCredential]:
        if tenant is None:
            return await all_credentials(database)
        return await list_credentials(database, tenant=tenant)

    rows = on_database(ctx, work)
    none = "The vault holds no credentials. Add one: gateway credentials add openai"
    print_rows([*map(record if as_json else row_of, rows)], as_json=as_json, none=none)


@credentials.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@json_option
@click.pass_context
def check(ctx: click.Context, ids: tuple[str, ...], as_json: bool) -> None:
    """Make a real call with these credentials, or with all. Exits with 1 when a provider refuses one."""
    from gateway.errors import GatewayError
    from gateway.store.credentials import all_credentials
    from gateway.vault.credentials import check
    from gateway.vault.providers import provider_of

    async def work(database: Database) -> list[tuple[StoredCredential, bool, str]]:
        vault = await opened_vault(ctx)
        found: list[tuple[StoredCredential, bool, str]] = []
        rows = [await _find(database, each) for each in ids] if ids else await all_credentials(database)
        async with _providers(ctx, database) as providers:
            for row in rows:
                try:
                    tried = await check(database, vault, row, provider_of(providers, row.provider))
                except GatewayError as problem:
                    found.append((row, False, problem.message))
                else:
                    found.append((row, tried.ok, tried.said))
        return found

    results = on_database(ctx, work)
    for row, ok, said in results:
        if as_json:
            click.echo(json.dumps({"id": row.id, "ok": ok, "said": said}))
        else:
            click.echo(f"{row.id} ({row.provider}, {row.name}): {said}")
    ctx.exit(0 if all(ok for _, ok, _ in results) else 1)


@credentials.command()
@_ID
@_KIND
@_FIELD
@_CHECK
@json_option
@click.pass_context
def replace(
    ctx: click.Context,
    credential: str,
    kind: str | None,
    fields: tuple[str, ...],
    checked: bool,
    as_json: bool,
) -> None:
    """Put another credential in its place, given as with `add`."""
    from gateway.vault.credentials import replace, require
    from gateway.vault.given import read_given
    from gateway.vault.providers import provider_of

    async def work(database: Database) -> StoredCredential:
        vault = await opened_vault(ctx)
        row = await _find(database, credential)
        async with _providers(ctx, database) as providers:
            service = provider_of(providers, row.provider)
            given = read_given(service, ask_fields(service, kind, fields))
            tried = await require(service, given) if checked else None
        return await replace(database, vault, row, given, actor=command_actor(), tried=tried)

    show(on_database(ctx, work), "Replaced", as_json=as_json)


@credentials.command()
@_ID
@click.pass_context
def enable(ctx: click.Context, credential: str) -> None:
    """Use it again. Running gateways do so within a second, as with every change."""
    _change(ctx, credential, "Enabled", enabled=True)


@credentials.command()
@_ID
@click.pass_context
def disable(ctx: click.Context, credential: str) -> None:
    """Keep it, but do not use it. A tenant whose own are all disabled makes no calls there."""
    _change(ctx, credential, "Disabled", enabled=False)


@credentials.command()
@_ID
@click.argument("weight", type=int)
@click.pass_context
def weight(ctx: click.Context, credential: str, weight: int) -> None:
    """Give it another share of the calls: WEIGHT is 1 to 100."""
    from gateway.vault.credentials import check_weight

    check_weight(weight)
    _change(ctx, credential, f"Weight {weight} for", weight=weight)


@credentials.command()
@_ID
@click.pass_context
def remove(ctx: click.Context, credential: str) -> None:
    """Take it away, for good."""
    from gateway.store.credentials import remove_credential

    async def work(database: Database) -> StoredCredential:
        row = await _find(database, credential)
        return await remove_credential(database, row.id, tenant=row.tenant, actor=command_actor())

    show(on_database(ctx, work), "Removed", as_json=False)


def _change(ctx: click.Context, credential: str, what: str, **values: Any) -> None:
    from gateway.store.credentials import change_credential

    async def work(database: Database) -> StoredCredential:
        row = await _find(database, credential)
        return await change_credential(database, row.id, tenant=row.tenant, actor=command_actor(), **values)

    show(on_database(ctx, work), what, as_json=False)


async def _find(database: Database, reference: str) -> StoredCredential:
    from gateway.errors import InvalidRequest
    from gateway.store.credentials import all_credentials

    rows = await all_credentials(database)
    matches = [row for row in rows if row.id == reference] or [
        row for row in rows if reference and (row.name == reference or row.id.startswith(reference))
    ]
    if len(matches) != 1:
        found = "none" if not matches else ", ".join(row.id for row in matches[:5])
        raise InvalidRequest(f"{reference!r} must fit one credential, and fits: {found}")
    return matches[0]


@asynccontextmanager
async def _providers(ctx: click.Context, database: Database) -> AsyncGenerator[Mapping[str, Provider]]:
    """Build the providers of the config in use, and nothing else of what serving needs."""
    from gateway.parts import client_of
    from gateway.plugin import Context
    from gateway.registry import Registry

    config = config_of(ctx)
    client, public = (client_of(config, public_only=only) for only in (False, True))
    registry = Registry.build(config, Context(client=client, database=database, public_client=public))
    client.open()
    public.open()
    try:
        yield {provider.name: provider for provider in registry.facade.providers()}
    finally:
        await client.close()
        await public.close()
