"""`gateway login`: sign in from a terminal, with a browser on whatever machine (RFC 8628)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.login_key import sign_in_with_key
from gateway.cli.remote import Refused, on_gateway, url_option

if TYPE_CHECKING:
    from gateway.cli.remote import Remote

_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_NOT_FOUND: Final = (404, 405)
_SLOWER: Final = 5


@click.command()
@url_option
@click.option("--tenant", help="For whom you act.  [default: the tenant that you used last]")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Sign in with a did:key instead: a PEM file with its private key, Ed25519 or P-256.",
)
def login(url: str, tenant: str | None, key: Path | None) -> None:
    """Sign in to a gateway as yourself.

    Shows a code, and an address at which you confirm it in a browser. The session is kept in a file that only you can
    read, and is renewed as it is used.
    """
    if key is not None and tenant is not None:
        raise click.UsageError("--tenant goes with a browser: with a key you act for the tenant used last.")

    async def work(remote: Remote) -> dict[str, Any]:
        if key is not None:
            remote.keep(await sign_in_with_key(remote, key))
            return await remote.signed_in("GET", "/admin/api/me")
        codes = await _begin(remote, tenant)
        click.echo("To sign in, open this address in a browser, and compare the code:\n")
        click.secho(f"  {codes['verification_uri_complete']}", bold=True)
        click.echo(f"\n  Code: {click.style(codes['user_code'], bold=True)}\n")
        click.echo("Waiting for you …")
        remote.keep(await _collect(remote, codes))
        return await remote.signed_in("GET", "/admin/api/me")

    me = on_gateway(url, work)
    click.echo(f"Signed in as {me['name'] or me['user']}, for the tenant {me['tenant']}.")


async def _begin(remote: Remote, tenant: str | None) -> dict[str, Any]:
    try:
        return await remote.form("/sign-in/device", client_id="gateway-cli", tenant=tenant)
    except Refused as refused:
        if refused.status in _NOT_FOUND:
            raise click.ClickException(
                f"{remote.url} has no sign-in for terminals: its plugins.toml needs [service.console]."
            ) from refused
        raise


async def _collect(remote: Remote, codes: dict[str, Any]) -> dict[str, Any]:
    """Ask until somebody has decided (§3.4, §3.5). Raises `ClickException` when they refused, or it took too long."""
    from gateway.upstream import UpstreamError

    interval, until = float(codes.get("interval", 5)), time.monotonic() + float(codes["expires_in"])
    while time.monotonic() < until:
        await asyncio.sleep(interval)
        try:
            return await remote.form("/sign-in/token", grant_type=_GRANT, device_code=codes["device_code"])
        except UpstreamError:
            interval *= 2  # §3.5: a connection that fails is tried again, less often
        except Refused as refused:
            if refused.code == "slow_down":
                interval += _SLOWER
            elif refused.code != "authorization_pending":
                raise
    raise click.ClickException("Nobody confirmed the code in time. Run `gateway login` again.")
