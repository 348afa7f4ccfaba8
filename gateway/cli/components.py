"""`gateway components`: services that sign their calls. Works on the database, so the gateway may run or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import json_option
from gateway.cli.times import Duration, rfc3339
from gateway.cli.work import on_database
from gateway.commands import command_actor
from gateway.shown import print_rows

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.components import Component, NewComponent, Scheme

_ID = click.argument("component", metavar="ID")
_TENANT = click.option(
    "--tenant",
    default="default",
    show_default=True,
    help="Whose component it is: whom its calls are counted for.",
)
_SCOPES = click.option(
    "--scope", "scopes", multiple=True, help="What it may do; may be repeated.  [default: calls.make]"
)
_MODELS = click.option(
    "--model", "models", multiple=True, help="Allow only this model or `prefix*`; may be repeated."
)


@click.group()
def components() -> None:
    """Register, list, disable and remove services that sign their calls."""


@components.command()
@click.argument("name")
@click.argument("public_key", metavar="KEY")
@click.option(
    "--scheme",
    type=click.Choice(["rfc9421", "aigne-app", "aigne-remote"]),
    default="rfc9421",
    show_default=True,
    help="How it signs.",
)
@_TENANT
@_SCOPES
@_MODELS
@json_option
@click.pass_context
def register(
    ctx: click.Context,
    name: str,
    public_key: str,
    scheme: Scheme,
    tenant: str,
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    as_json: bool,
) -> None:
    """Register a component with its public KEY. KEY is an Ed25519 key, as did:key, hexadecimal or base64."""
    from gateway.identity.components import register

    new = _new(name, tenant, scopes, models)
    row = on_database(
        ctx,
        lambda database: register(database, new, public_key, scheme=scheme, held=None, actor=command_actor()),
    )
    _show(row, "Registered", as_json=as_json)


@components.command()
@click.argument("name")
@_TENANT
@_SCOPES
@_MODELS
@click.option(
    "--expires", type=Duration(), default=86400.0, help="How long the ticket is good.  [default: 1d]"
)
@json_option
@click.pass_context
def ticket(
    ctx: click.Context,
    name: str,
    tenant: str,
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    expires: float,
    as_json: bool,
) -> None:
    """Make a ticket for a component. With it, it registers its own key, once."""
    from gateway.identity.components import invite

    new = _new(name, tenant, scopes, models)
    token = on_database(ctx, lambda database: invite(database, new, held=None, seconds=expires))
    if as_json:
        click.echo(json.dumps({"name": name, "tenant": tenant, "ticket": token}))
        return
    click.echo(f"Ticket for the component '{name}', tenant {tenant}; it can be used once:\n")
    click.secho(f"  {token}\n", bold=True)
    click.echo("The component sends it to POST /components/challenge together with its did:key.")


@components.command("list")
@_TENANT
@json_option
@click.pass_context
def list_(ctx: click.Context, tenant: str, as_json: bool) -> None:
    """List the components of a tenant. With --json one object per line."""
    from gateway.store.components import list_components

    rows = on_database(ctx, lambda database: list_components(database, tenant))
    none = f"The tenant {tenant} has no components. Register one: gateway components register NAME KEY"
    print_rows([*map(_record if as_json else _row, rows)], as_json=as_json, none=none)


@components.command()
@_ID
@_TENANT
@click.option("--enable", is_flag=True, help="Let it call again.")
@click.pass_context
def disable(ctx: click.Context, component: str, tenant: str, enable: bool) -> None:
    """Refuse a component's signatures, until it is enabled again. Running gateways do so within a second."""
    from gateway.store.components import change_component

    def work(database: Database) -> Any:
        changes = {"disabled": not enable}
        return change_component(database, tenant, component, changes, actor=command_actor())

    _show(on_database(ctx, work), "Enabled" if enable else "Disabled", as_json=False)


@components.command()
@_ID
@_TENANT
@click.pass_context
def remove(ctx: click.Context, component: str, tenant: str) -> None:
    """Remove a component, for good."""
    from gateway.store.components import delete_component

    on_database(ctx, lambda database: delete_component(database, tenant, component, actor=command_actor()))
    click.echo(f"Removed {component}.")


def _new(name: str, tenant: str, scopes: tuple[str, ...], models: tuple[str, ...]) -> NewComponent:
    from gateway.store.components import NewComponent
    from gateway.types import MAKE_CALLS

    return NewComponent(tenant=tenant, name=name, scopes=scopes or (MAKE_CALLS,), models=models or None)


def _state(row: Component) -> str:
    return "active" if row.disabled_at is None else "disabled"


def _show(row: Component, what: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_record(row)))
    else:
        click.echo(f"{what} {row.id} ({row.name}, tenant {row.tenant}): {row.key_id}")


def _record(row: Component) -> dict[str, Any]:
    names = ("id", "tenant", "name", "scheme", "key_id", "scopes", "models")
    times = ("created_at", "updated_at", "disabled_at")
    return (
        {name: getattr(row, name) for name in names}
        | {"state": _state(row)}
        | {name: rfc3339(getattr(row, name)) for name in times}
    )


def _row(row: Component) -> dict[str, Any]:
    shown = _record(row)
    return {name: shown[name] for name in ("id", "name", "scheme", "state", "key_id")}
