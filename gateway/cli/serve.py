"""`gateway serve`: run the gateway on uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_of, path_of

if TYPE_CHECKING:
    from gateway.config import Config

LEVELS = ("debug", "info", "warning", "error")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8080,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="How many processes serve."
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="info",
    show_default=True,
    help="The least that is logged.",
)
@click.pass_context
def serve(ctx: click.Context, host: str, port: int, workers: int, log_level: str) -> None:
    """Serve the gateway over HTTP.

    SIGTERM or Ctrl-C lets running calls finish, flushes the ledger and exits with 0; a second one does not wait.
    """
    with _quiet_end():
        ctx.exit(_serve(ctx, host, port, workers, log_level))


def _serve(ctx: click.Context, host: str, port: int, workers: int, log_level: str) -> int:
    _log_to_stderr(log_level)
    config = config_of(ctx)
    family, address = _resolve(host, port)
    public = not ipaddress.ip_address(address[0].partition("%")[0]).is_loopback
    if public:
        _refuse_without_auth(config, host)
    if workers > 1 and not hasattr(os, "fork"):
        raise click.UsageError("--workers needs a system that can fork; run several gateways instead.")

    # From here on nothing can be wrong with the command line, so the slow imports begin.
    from gateway.app import Gateway
    from gateway.cli.banner import show_banner, show_draining, show_stopped
    from gateway.cli.server import Server
    from gateway.cli.welcome import show_owner_link

    gateway = Gateway(config, workers=workers)
    listener = _bind(family, address)
    bound = listener.getsockname()[1]
    url = f"http://[{address[0]}]:{bound}" if family == socket.AF_INET6 else f"http://{host}:{bound}"

    def on_ready() -> None:
        show_banner(gateway, url=url, config=path_of(ctx), workers=workers, public=public)

    def on_drain() -> None:
        what, count = ("worker", workers) if workers > 1 else ("call", gateway.running)
        show_draining(f"{count} {what}{'s' * (count != 1)}", config.settings.drain_seconds)

    def on_started() -> Awaitable[None]:
        return show_owner_link(config, url=url)

    if workers == 1:
        server = Server(gateway, on_ready=on_ready, on_drain=on_drain, on_started=on_started)
        server.run(sockets=[listener])
        show_stopped()
        return 0

    from gateway.cli.workers import Supervisor

    with TemporaryDirectory(prefix="gateway-") as folder:

        def build() -> Gateway:
            return Gateway(config, workers=workers, shared_folder=Path(folder))

        code = Supervisor(
            workers,
            build=build,
            listener=listener,
            on_ready=on_ready,
            on_drain=on_drain,
            on_started=on_started,
        ).run()
    show_stopped()
    return code


@contextlib.contextmanager
def _quiet_end() -> Generator[None]:
    """End with 0 on a signal that comes while nothing is served yet; the server takes them as soon as it starts."""

    def end(_number: int, _frame: object) -> None:
        # Nothing is open yet; an exception could end up in the hands of whatever is being imported.
        os._exit(0)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _log_to_stderr(level: str) -> None:
    """Log what the gateway says; of the libraries only what is wrong."""
    chosen = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(
        level=max(chosen, logging.WARNING),
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )
    logging.getLogger("gateway").setLevel(chosen)
    logging.getLogger("gateway.registry").setLevel(logging.ERROR)  # the banner tells what is skipped
    logging.getLogger("uvicorn").setLevel(logging.DEBUG if level == "debug" else logging.ERROR)
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Drop what uvicorn takes for a fault: failed streams cut on purpose, half-sent requests ended by a shutdown."""
    ended = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not ended and not record.msg.startswith("ASGI callable returned without completing")


def _refuse_without_auth(config: Config, host: str) -> None:
    if not any(table.kind == "auth" for table in config.plugins):
        raise click.UsageError(
            f"--host {host} would let anyone who reaches this machine call your providers: the config has no auth "
            "plugin. Add a table [auth.apikey], or listen on 127.0.0.1."
        )


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise click.UsageError(f"--host {host}: {error.strerror or error}.") from error
    family, _, _, _, address = found[0]
    return family, address


class _CannotListen(click.ClickException):
    """An address that cannot be had: to be mended on the command line, like a wrong option."""

    exit_code = 2


def _bind(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    """Take the port. Nobody is served before a worker listens on it."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        where = f"{address[0]} port {address[1]}"
        if error.errno == errno.EADDRINUSE:
            raise _CannotListen(f"{where} is taken by another program; choose one with --port.") from error
        raise _CannotListen(f"cannot listen on {where}: {error.strerror}.") from error
    return listener
