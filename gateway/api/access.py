"""Who is calling: the authenticators, asked in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

from gateway.errors import AuthenticationFailed, PermissionDenied
from gateway.identity.attempts import Attempts
from gateway.identity.keys import check_reach
from gateway.identity.tenants import Tenants
from gateway.protocols import Authenticator, Incoming
from gateway.types import MAKE_CALLS, Principal

ANYONE = Principal(tenant="default", authenticator="none")
"""Who calls a gateway that has no authenticator at all; it may only listen on a loopback address."""


Admitted: TypeAlias = Callable[[Incoming, Principal], Awaitable[None]]
"""Told who makes calls, before anything is done. What it raises refuses the request, in its client's dialect.

ASGI middleware that needs to know puts it into `scope["gateway.admitted"]`.
"""


class CallIncoming(Incoming, Protocol):
    """A request that may make calls, and who else is to be told of its caller."""

    admitted: Admitted | None


class Access:
    """The chain of authenticators: the first that recognises the credential decides. Then what its tenant may do."""

    def __init__(self, authenticators: Sequence[Authenticator], tenants: Tenants, attempts: Attempts) -> None:
        self._authenticators = tuple(authenticators)
        self._attempts = attempts
        self._policies = tenants.policies

    async def caller(self, incoming: CallIncoming) -> Principal:
        """Return who makes calls, with no more rights than its tenant has.

        Raises what `principal` raises, `PermissionDenied` when it may not make calls, or its tenant is not served, and
        what middleware refuses that is told of it.
        """
        principal = await self.principal(incoming)
        if MAKE_CALLS not in principal.scopes:
            raise PermissionDenied(f"This needs the permission '{MAKE_CALLS}'.")
        policy = self._policies.get(principal.tenant)
        if policy is not None:
            principal = policy.admit(principal)
        if incoming.admitted is not None:
            await incoming.admitted(incoming, principal)
        return principal

    async def principal(self, incoming: Incoming) -> Principal:
        """Return who it is, whatever they may do.

        Raises `AuthenticationFailed`, `RateLimited` after too many of these, `PermissionDenied` where a key is not for
        this address or path, or `Unavailable` when it cannot be told.
        """
        try:
            for authenticator in self._authenticators:
                principal = await authenticator.authenticate(incoming)
                if principal is not None:
                    if principal.endpoints is not None:
                        check_reach(principal, incoming.path)
                    return principal
        except AuthenticationFailed:
            self._attempts.failed(incoming.client)
            raise
        if not self._authenticators:
            return ANYONE
        raise AuthenticationFailed(
            "No API key was provided. Send it in the Authorization header: 'Authorization: Bearer YOUR_KEY'."
        )
