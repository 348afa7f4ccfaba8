"""`gateway logout`: end the session that `gateway login` began."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.remote import on_gateway, url_option

if TYPE_CHECKING:
    from gateway.cli.remote import Remote


@click.command()
@url_option
def logout(url: str) -> None:
    """Sign out of a gateway: the session ends there, and its file forgets it."""

    async def leave(remote: Remote) -> None:
        try:
            await remote.signed_in("POST", "/sign-in/out")
        finally:
            remote.logins.drop(url)

    on_gateway(url, leave)
    click.echo(f"Signed out of {url}.")
