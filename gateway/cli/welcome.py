"""A link for the first owner, on the first start of a gateway with a console."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from gateway.cli.options import words
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway.config import Config

log = logging.getLogger("gateway.serve")

CONSOLE = "service.console"


async def show_owner_link(config: Config, *, url: str) -> None:
    """Create the owner when there is no user yet, and print a link to sign in with, once; `url` is where we listen."""
    if not any(table.plugin == CONSOLE for table in config.plugins):
        return
    from gateway.identity.owner import ensure_owner, sign_in_link

    identity = config.settings.identity
    database = config.database()
    try:
        owner = await ensure_owner(database, identity.operator_tenant)
        if owner is None:
            return
        base = identity.public_url if "public_url" in identity.model_fields_set else url
        show_link(await sign_in_link(database, owner.id, base_url=base), "the owner")
    except GatewayError as error:
        log.error(  # noqa: TRY400 - it serves all the same
            "there is no link for the owner: %s Make one with `gateway users owner-link`.", words(error)
        )
    finally:
        await database.close()


def show_link(link: str, who: str) -> None:
    """Print a link on standard output."""
    click.echo(f"  Sign in as {who}, once, within an hour:\n\n  {click.style(link, bold=True)}\n")
