"""`gateway init`: a first plugins.toml that runs on a bare machine."""

from __future__ import annotations

from importlib.resources import files

import click

from gateway.cli.options import command_line, path_of
from gateway.errors import GatewayError


@click.command()
@click.option("--force", is_flag=True, help="Overwrite a file that is there already.")
@click.pass_context
def init(ctx: click.Context, *, force: bool) -> None:
    """Write a commented plugins.toml to start from.

    It runs as it is, with a mock provider, and real providers join as their API keys appear in the environment.
    """
    path = path_of(ctx)
    text = files("gateway").joinpath("templates", "plugins.toml").read_text(encoding="utf-8")
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise GatewayError(f"{path} is there already; overwrite it with --force") from None
    except OSError as error:
        raise GatewayError(f"{path} cannot be written: {error.strerror}") from None
    option = f" -c {path}" if command_line(ctx).option else ""
    click.echo(f"Wrote {path}. Next:")
    click.echo(f"  gateway{option} keys create --name me")
    click.echo(f"  gateway{option} serve")
