"""Who is calling: the authenticators, asked in order."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import AuthenticationFailed
from gateway.protocols import Authenticator, Incoming
from gateway.types import Principal

ANYONE = Principal(tenant="default", authenticator="none")
"""Who calls a gateway that has no authenticator at all; it may only listen on a loopback address."""


class Access:
    """The chain of authenticators: the first that recognises the credential decides."""

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = tuple(authenticators)

    async def principal(self, incoming: Incoming) -> Principal:
        """Return who calls. Raises `AuthenticationFailed`, or `Unavailable` when it cannot be told."""
        for authenticator in self._authenticators:
            principal = await authenticator.authenticate(incoming)
            if principal is not None:
                return principal
        if not self._authenticators:
            return ANYONE
        raise AuthenticationFailed(
            "No API key was provided. Send it in the Authorization header: 'Authorization: Bearer YOUR_KEY'."
        )
