"""Recognises services by their signatures."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.errors import AuthenticationFailed
from gateway.plugin import Plugin, hookimpl
from gateway_component.aigne import AigneVerifier
from gateway_component.config import ComponentConfig
from gateway_component.nonces import Nonces, nonce_of
from gateway_component.registration import Registration
from gateway_component.registry import Components
from gateway_component.signatures import Rules, verify
from gateway_component.user import for_user

if TYPE_CHECKING:
    from nacl.signing import VerifyKey
    from starlette.routing import BaseRoute

    from gateway.plugin import Context
    from gateway.protocols import Authenticator, Incoming
    from gateway.types import Principal

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Component(Plugin[ComponentConfig]):
    """Authenticates requests with an HTTP message signature (RFC 9421, Ed25519) of a registered component."""

    id = "auth.component"
    Config = ComponentConfig

    def __init__(self, name: str, config: ComponentConfig, context: Context) -> None:
        super().__init__(name, config, context)
        self._components = Components(context.database, authenticator=name)
        self._nonces = Nonces(context)
        self._rules = Rules(
            tag=config.tag,
            max_seconds=config.max_seconds,
            skew_seconds=config.skew_seconds,
            covered=frozenset(config.covered),
            is_ours=_Authorities(config.authorities, context.sessions.rules.public_url),
        )
        self._aigne = (
            AigneVerifier(self._components, self._nonces, max_seconds=config.aigne_seconds)
            if config.aigne_compat
            else None
        )

    async def startup(self) -> None:
        """Load the components and begin to watch for changes. Raises when the database cannot be read."""
        await self.context.changes.watch("components", self._components.refresh)
        self._nonces.start()

    async def shutdown(self) -> None:
        await self._nonces.stop()

    @hookimpl
    def register_authenticators(self) -> Sequence[Authenticator]:
        return (self,)

    @hookimpl
    def register_routes(self) -> Sequence[BaseRoute]:
        return Registration(self.context.database, self.context.changes).routes()

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        """The principal of the component that signed the request; None without a signature that is meant for us.

        Raises `AuthenticationFailed`, and `Unavailable` when it cannot be told whether a nonce was used.
        """
        verified = await verify(incoming, self._rules, self._key_of)
        if verified is None:
            return None if self._aigne is None else await self._aigne.authenticate(incoming)
        entry = self._components.find("rfc9421", verified.key_id)
        if entry is None:  # removed while the body came in
            raise AuthenticationFailed("This component is no longer registered.", code="invalid_signature")
        nonce = nonce_of(verified.key_id, verified.nonce, verified.created)
        await self._nonces.spend(nonce, until=verified.until)
        user = incoming.headers.get(b"x-user-did") if "x-user-did" in verified.covered else None
        return for_user(entry.principal, user)

    def _key_of(self, key_id: str) -> VerifyKey | None:
        entry = self._components.find("rfc9421", key_id)
        return None if entry is None else entry.key


class _Authorities:
    """Which hosts are this gateway's."""

    def __init__(self, given: Sequence[str], public_url: str) -> None:
        scheme, netloc = urlsplit(public_url)[:2]
        self._usual = _DEFAULT_PORTS.get(scheme, "")
        self._ours = {name.lower().removesuffix(self._usual) for name in (given or (netloc,))}
        self._loopback = not given and _is_loopback(netloc)

    def __call__(self, authority: str) -> bool:
        ours = authority.removesuffix(self._usual) in self._ours
        return ours or (self._loopback and _is_loopback(authority))


def _is_loopback(authority: str) -> bool:
    host = urlsplit(f"//{authority}").hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
