"""Whether the gateway serves, and for how long still."""

from __future__ import annotations

import asyncio

from gateway.errors import GatewayError, Unavailable


class Lifecycle:
    """The state that readiness and new calls depend on."""

    def __init__(self) -> None:
        self.started = False
        self.draining = False
        """Set once: running calls may finish, new ones are refused."""

        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """From now on the gateway serves, in the event loop that runs."""
        self._loop = asyncio.get_running_loop()
        self.started = True

    def serves_here(self) -> bool:
        """Whether the gateway serves, in the event loop that runs."""
        return self.started and self._loop is asyncio.get_running_loop()

    def started_here(self) -> bool:
        """Whether the gateway serves. Raises `GatewayError` when it does so in another event loop than this."""
        if self.started and not self.serves_here():
            raise GatewayError(
                "The gateway was started in another event loop, and cannot serve in this one. Start and stop it with "
                "the application around it: lifespan=gateway.lifespan; in tests: with TestClient(app) as client."
            )
        return self.started

    def admit(self) -> None:
        """Raise `Unavailable` when no new calls are taken."""
        if self.draining:
            raise Unavailable("The gateway is shutting down.", headers=[(b"retry-after", b"1")])
