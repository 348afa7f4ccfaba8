"""Whether the gateway serves, and for how long still."""

from __future__ import annotations

from gateway.errors import Unavailable


class Lifecycle:
    """The state that readiness and new calls depend on."""

    def __init__(self) -> None:
        self.started = False
        self.draining = False
        """Set once: running calls may finish, new ones are refused."""

    def admit(self) -> None:
        """Raise `Unavailable` when no new calls are taken."""
        if self.draining:
            raise Unavailable("The gateway is shutting down.", headers=[(b"retry-after", b"1")])
