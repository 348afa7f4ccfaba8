"""The plugin: tokens of OpenID Connect issuers, and sign-in through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import ConfigError
from gateway.plugin import Plugin, hookimpl
from gateway_jwt.config import JwtConfig
from gateway_jwt.fetch import FetchFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute

    from gateway.plugin import Context
    from gateway.protocols import Authenticator, SignIn


class Jwt(Plugin[JwtConfig]):
    """Authenticates by access tokens of OpenID Connect issuers, and signs people in through the same issuers."""

    id = "auth.jwt"
    Config = JwtConfig

    def __init__(self, name: str, config: JwtConfig, context: Context) -> None:
        super().__init__(name, config, context)
        try:
            from gateway_jwt.authenticator import Tokens  # noqa: PLC0415 - what the extra brings
            from gateway_jwt.issuer import Issuer  # noqa: PLC0415
            from gateway_jwt.sign_in import OidcSignIn  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ConfigError(
                [f"it needs the package '{error.name}': pip install 'asgi-gateway[jwt]'"]
            ) from None
        self._tokens = Tokens(name, context)
        self._issuers = [
            Issuer(key, issuer, context, changed=self._tokens.forget_issuer, log=self.log)
            for key, issuer in config.issuers.items()
        ]
        self._tokens.serve(
            {issuer.config.issuer: issuer for issuer in self._issuers if issuer.config.audience}
        )
        self._sign_ins = [
            OidcSignIn(issuer, context, log=self.log)
            for issuer in self._issuers
            if issuer.config.client_id is not None
        ]

    async def startup(self) -> None:
        """Begin to fetch keys, without waiting for them: an issuer that is away keeps nothing from starting."""
        for table in ("tenants", "roles", "users", "identities"):
            await self.context.changes.watch(table, self._refresh)
        for issuer in self._issuers:
            issuer.keys.start()

    async def check(self) -> None:
        """Fetch what each issuer publishes. Raises `FetchFailed`, which names the issuer."""
        failures: list[str] = []
        for issuer in self._issuers:
            try:
                await issuer.keys.fetch()
            except FetchFailed as error:
                failures.append(f"{issuer.name}: {error}")
        if failures:
            raise FetchFailed("; ".join(failures))

    async def shutdown(self) -> None:
        for issuer in self._issuers:
            await issuer.keys.stop()

    @hookimpl
    def register_authenticators(self) -> Sequence[Authenticator]:
        return (self._tokens,)

    @hookimpl
    def register_sign_ins(self) -> Sequence[SignIn]:
        return self._sign_ins

    @hookimpl
    def register_routes(self) -> Sequence[BaseRoute]:
        return [route for sign_in in self._sign_ins for route in sign_in.routes()]

    async def _refresh(self, _revision: int) -> None:
        self._tokens.forget()
