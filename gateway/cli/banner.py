"""What `gateway serve` says when it is ready, and when it goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway import __version__

if TYPE_CHECKING:
    from gateway.app import Gateway


def show_banner(gateway: Gateway, *, url: str, config: Path, workers: int, public: bool) -> None:
    """Print where the gateway listens, what it serves and how to call it.

    `public` says that other machines reach it.
    """
    plugins = gateway.registry.describe()
    enabled = [plugin for plugin in plugins if plugin.state == "enabled"]
    providers = [plugin.instance.partition(".")[2] for plugin in enabled if plugin.kind == "provider"]
    aliases = list(gateway.config.models)

    click.echo(f"\n  {click.style('asgi-gateway', fg='green', bold=True)} {__version__}\n")
    _line("url", click.style(url, bold=True))
    _line("config", str(config))
    _line("models", ", ".join([*aliases, *(f"{provider}/…" for provider in providers)]) or "none")
    _line("plugins", ", ".join(plugin.instance for plugin in enabled if plugin.kind != "provider") or "none")
    if workers > 1:
        _line("workers", str(workers))
    for plugin in plugins:
        if plugin.state == "skipped":
            _line("skipped", f"{plugin.instance}: {plugin.reason}", colour="yellow")
    if public:
        for table in gateway.config.plugins:
            if table.plugin == "middleware.metrics" and "token" not in table.values:
                _line("warning", f"metrics are public: set token in [{table.instance}]", colour="yellow")

    model = aliases[0] if aliases else f"{providers[0] if providers else 'PROVIDER'}/MODEL"
    click.echo(f"\n  curl {url}/v1/chat/completions \\")
    if any(plugin.kind == "auth" for plugin in enabled):
        click.echo('    -H "authorization: Bearer $OPENAI_API_KEY" \\')
    click.echo("    -H 'content-type: application/json' \\")
    click.echo(f'    -d \'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}\'\n')


def show_draining(what: str, seconds: float) -> None:
    """Say on standard error that the gateway waits for what still runs."""
    _line("draining", f"{what} running, up to {seconds:g} s", err=True)


def show_stopped() -> None:
    """Say on standard error that the gateway has ended in good order."""
    click.echo(f"  {click.style('stopped', fg='bright_black')}", err=True)


def _line(label: str, text: str, *, colour: str = "bright_black", err: bool = False) -> None:
    click.echo(f"  {click.style(f'{label:<8}', fg=colour)} {text}", err=err)
