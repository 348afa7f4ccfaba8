"""`gateway whoami`: as whom one is signed in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import json_option
from gateway.cli.remote import on_gateway, url_option

if TYPE_CHECKING:
    from gateway.cli.remote import Remote


@click.command()
@url_option
@json_option
@click.option("--token", "only_token", is_flag=True, help="Print an access token instead, good for minutes.")
def whoami(url: str, as_json: bool, only_token: bool) -> None:
    """Show as whom you are signed in.

    To use your session with an SDK: export OPENAI_API_KEY="$(gateway whoami --token)"
    """
    if only_token:
        click.echo(on_gateway(url, lambda remote: remote.access()))
        return

    async def ask(remote: Remote) -> dict[str, Any]:
        return await remote.signed_in("GET", "/admin/api/me")

    me = on_gateway(url, ask)
    if as_json:
        click.echo(json.dumps(me))
        return
    address = f" <{me['email']}>" if me["email"] else ""
    click.echo(f"{me['name'] or me['user']}{address} at {url}")
    click.echo(f"Tenant {me['tenant']}, as {', '.join(me['roles']) or 'nobody in particular'}.")
    others = [tenant["id"] for tenant in me["tenants"] if tenant["id"] != me["tenant"]]
    if others:
        click.echo(f"Also a member of {', '.join(others)}: gateway login --tenant {others[0]}")
