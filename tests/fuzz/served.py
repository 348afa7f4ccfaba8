"""A gateway that runs while a test sends it requests as bytes, without a socket and without a client library between."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from msgspec import Struct
from starlette.types import Message, Scope

from gateway import Gateway
from gateway.plugin import Plugin


class Asked(Struct, frozen=True, kw_only=True):
    """One request."""

    method: str = "POST"
    path: str
    query: bytes = b""
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Got(Struct, kw_only=True):
    """What came back, message by message."""

    status: int = 0
    headers: list[tuple[str, str]] = []
    body: bytes = b""
    ended: bool = False

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for header, value in self.headers if header == name]


class Logged(logging.Handler):
    """Keeps every line that is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Served:
    """Sends requests to a gateway that runs in a loop of its own."""

    def __init__(self, gateway: Gateway, portal: BlockingPortal, log: Logged) -> None:
        self.gateway = gateway
        self.portal = portal
        self.log = log

    def ask(self, asked: Asked) -> Got:
        """Send one request, and wait until it is answered. Raises whatever the gateway lets out."""
        return self.portal.call(ask, self.gateway, asked)


async def ask(gateway: Gateway, asked: Asked) -> Got:
    """Send one request in the loop that the gateway runs in."""
    got = Got()
    requests: asyncio.Queue[Message] = asyncio.Queue()
    requests.put_nowait({"type": "http.request", "body": asked.body})

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert got.status == 0, "an answer has one head"
            got.status = message["status"]
            got.headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in message["headers"]]
        else:
            assert got.status, "the head comes first"
            assert not got.ended, "nothing follows the end"
            got.body += message.get("body", b"")
            got.ended = not message.get("more_body", False)

    headers = {"content-length": str(len(asked.body)), **asked.headers}
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": "http",
        "path": asked.path,
        "raw_path": asked.path.encode(),
        "query_string": asked.query,
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("gateway", 80),
    }
    await gateway(scope, requests.get, send)
    return got


@contextmanager
def serving(config: Mapping[str, Any], plugins: Sequence[type[Plugin[Any]]] = ()) -> Generator[Served]:
    """Serve a config, with a database of its own."""
    log = Logged()
    logging.getLogger().addHandler(log)
    try:
        with tempfile.TemporaryDirectory() as folder, start_blocking_portal() as portal:
            core = {
                "database": f"sqlite:///{folder}/gateway.db",
                "durability": "settle",
                **config.get("gateway", {}),
            }
            gateway = Gateway.from_dict({**config, "gateway": core}, plugins=plugins)
            with portal.wrap_async_context_manager(gateway.lifespan()):
                yield Served(gateway, portal, log)
    finally:
        logging.getLogger().removeHandler(log)
