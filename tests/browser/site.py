"""A gateway on the loopback for a real browser, with people in it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal

from gateway import Gateway
from gateway.identity.owner import ensure_owner, first_owner, sign_in_link
from gateway.store import Database

TENANT = "default"


class Site:
    """A gateway that listens. What it is told to do is done in the loop that it runs in."""

    def __init__(self, gateway: Gateway, portal: BlockingPortal, url: str) -> None:
        self.gateway = gateway
        self.portal = portal
        self.url = url

    @property
    def database(self) -> Database:
        return self.gateway._context.database

    def owner_link(self) -> str:
        """A link that signs the owner in, once."""
        return self.portal.call(self._owner_link)

    async def _owner_link(self) -> str:
        await ensure_owner(self.database, TENANT)
        owner = await first_owner(self.database, TENANT)
        assert owner is not None
        return await sign_in_link(self.database, owner, base_url=self.url)


@contextmanager
def listening(folder: Path, config: Mapping[str, Any]) -> Generator[Site]:
    """Serve the pages with a config, at `http://localhost:PORT`: passkeys need a name, and take this one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        url = f"http://localhost:{taken.getsockname()[1]}"
        core: dict[str, Any] = {
            "database": f"sqlite:///{folder}/gateway.db",
            **config.get("gateway", {}),
        }
        core["identity"] = {"public_url": url, **core.get("identity", {})}
        service: dict[str, Any] = {"console": {}, **config.get("service", {})}
        gateway = Gateway.from_dict({**config, "gateway": core, "service": service})
        settings = uvicorn.Config(gateway, log_level="warning", ws="none", timeout_graceful_shutdown=2)
        server = _Server(settings)
        with start_blocking_portal() as portal:
            served = portal.start_task_soon(server.serve, [taken])
            assert server.ready.wait(30)
            yield Site(gateway, portal, url)
            server.should_exit = True
            served.result(30)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
