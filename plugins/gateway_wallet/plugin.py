"""The plugin: which ways to sign in there are, and their routes."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from gateway.errors import ConfigError
from gateway.plugin import Plugin, hookimpl
from gateway_wallet.config import WalletConfig
from gateway_wallet.contracts import Contracts, NodeFailed

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from gateway.plugin import Context
    from gateway.protocols import Authenticator, SignIn

_SCRIPTS = "/sign-in/wallet"


class Button(Struct, kw_only=True):
    """A way to sign in whose script finds its button by itself."""

    name: str
    title: str
    start: str
    script: str | None


class Wallet(Plugin[WalletConfig]):
    """Signs people and programs in with passkeys, Ethereum accounts, did:key and DID Wallets."""

    id = "auth.wallet"
    Config = WalletConfig

    def __init__(self, name: str, config: WalletConfig, context: Context) -> None:
        super().__init__(name, config, context)
        self._contracts = Contracts(context, config.nodes, log=self.log)
        try:
            self._routes = self._make_routes()
        except ImportError as error:
            raise ConfigError(
                [f"needs the package '{error.name}': pip install 'asgi-gateway[wallet]'"]
            ) from None

    async def startup(self) -> None:
        """Say so when browsers will not admit passkeys."""
        host = urlsplit(self.context.sessions.rules.public_url).hostname or ""
        if "passkey" in self.config.methods and _is_address(host):
            self.log.warning(
                "Passkeys need a host name: browsers admit none for %s, which [gateway.identity] public_url names.",
                host,
            )

    async def check(self) -> None:
        """Ask each node which chain it is of. Raises `NodeFailed`."""
        for chain in self.config.nodes:
            try:
                await self._contracts.check(chain)
            except NodeFailed as error:
                raise NodeFailed(f"the node of chain {chain} in `nodes`: {error}") from None

    @hookimpl
    def register_authenticators(self) -> Sequence[Authenticator]:
        """Give the one of sessions, in which all these ways end; it stands where this plugin does in the file."""
        return (self.context.sessions,)

    @hookimpl
    def register_sign_ins(self) -> Sequence[SignIn]:
        """Give a button for each way that needs a browser."""
        buttons: list[SignIn] = []
        if "passkey" in self.config.methods:
            buttons.append(_button("passkey", "a passkey", "/sign-in/passkey/options"))
        if "siwe" in self.config.methods:
            buttons.append(_button("siwe", "Ethereum", "/sign-in/siwe/message"))
        if self.config.app_secret is not None:
            buttons.append(_button("did-connect", "DID Wallet", "/api/did/login/token"))
        return buttons

    @hookimpl
    def register_routes(self) -> Sequence[BaseRoute]:
        """Give the routes of all ways."""
        return self._routes

    def _make_routes(self) -> list[BaseRoute]:
        # The libraries are imported here, and only those of the ways in use.
        from gateway_wallet.desk import Desk  # noqa: PLC0415

        config, desk = self.config, Desk(self.context)
        routes: list[BaseRoute] = []
        if "passkey" in config.methods:
            from gateway_wallet.passkeys import Passkeys  # noqa: PLC0415

            routes += Passkeys(self.context, desk, name=config.app_name).routes
        if "siwe" in config.methods:
            from gateway_wallet.siwe import Ethereum  # noqa: PLC0415

            routes += Ethereum(self.context, desk, config, self._contracts).routes
        if "did-key" in config.methods:
            from gateway_wallet.did_key import DidKeys  # noqa: PLC0415

            routes += DidKeys(self.context, desk).routes
        if config.app_secret is not None:
            from gateway_wallet.did_connect import DidConnect  # noqa: PLC0415

            routes += DidConnect(self.context, desk, config).routes
        return [*routes, Mount(_SCRIPTS, _Scripts(directory=Path(__file__).parent / "static"))]


class _Scripts(StaticFiles):
    """Files that browsers may keep, but ask about each time: those of two versions do not go together."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _button(name: str, title: str, start: str) -> Button:
    return Button(name=name, title=title, start=start, script=f"{_SCRIPTS}/{name}.js")
