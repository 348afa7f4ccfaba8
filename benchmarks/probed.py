"""Serve a gateway that also tells how many asyncio tasks it has: what `soak.py` runs in place of `gateway serve`.

python benchmarks/probed.py -c FILE --port PORT [--log-level LEVEL]
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.app import Gateway
from gateway.cli.server import Server
from gateway.plugin import Plugin, PluginConfig, hookimpl

PATH = "/probe"


class Probe(Plugin[PluginConfig]):
    """Counts what must not grow."""

    id = "service.probe"

    @hookimpl
    def register_routes(self) -> Sequence[BaseRoute]:
        return (Route(PATH, _count),)


async def _count(request: Request) -> Response:
    app: Any = request.app
    return JSONResponse({"tasks": len(asyncio.all_tasks()), "calls": app.running})


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", dest="config", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log-level", default="warning")
    arguments = parser.parse_args()
    gateway = Gateway.from_file(arguments.config, plugins=[Probe])
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", arguments.port))
    Server(gateway, on_ready=lambda: None).run(sockets=[listener])


if __name__ == "__main__":
    main()
