"""`gateway schema`: the JSON Schema of plugins.toml, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.errors import GatewayError


@click.command()
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to a file instead of standard output.",
)
def schema(output: Path | None) -> None:
    """Print the JSON Schema of plugins.toml, with the settings of every installed plugin.

    Editors complete and check the config when its first line is `#:schema ./plugins.schema.json`
    and `gateway schema --output plugins.schema.json` has written that file.
    """
    from gateway.schema import config_schema, installed

    classes, failures = installed()
    for plugin, reason in failures.items():
        click.echo(f"{plugin} is left out: {reason}", err=True)
    text = json.dumps(config_schema(classes), indent=2, ensure_ascii=False)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise GatewayError(f"{output} cannot be written: {error.strerror}") from None
