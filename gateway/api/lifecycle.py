"""Whether the gateway serves, and for how long still."""

from __future__ import annotations


class Lifecycle:
    """The state that readiness and new calls depend on."""

    def __init__(self) -> None:
        self.started = False
        self.draining = False
        """Set once: running calls may finish, new ones are refused."""
