"""The plugin: gives receipts, and publishes the keys that verify them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.errors import ConfigError
from gateway.plugin import Context, Plugin, PluginConfig, hookimpl
from gateway.secrets import Secret
from gateway_receipts.gate import Desk, Gate

if TYPE_CHECKING:
    import click
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from gateway.billing import OnSettled
    from gateway.protocols import OnFinished

MIGRATIONS = Path(__file__).parent / "migrations"
PATH = "/.well-known/gateway-receipts"


class ReceiptsConfig(PluginConfig):
    """The table `[service.receipts]`."""

    key: Secret = Field(
        description="The private key of Ed25519 that signs, as PEM or as its 32 bytes in base64url. All workers need the same."
    )
    retired_keys: tuple[Mapping[str, str], ...] = Field(
        default=(),
        description="Public JWKs of keys that signed before, so that old receipts can still be verified.",
    )
    tenants: tuple[str, ...] = Field(
        default=(), description="Tenants that get a receipt with every answer, asked or not; `*` for all."
    )


class Receipts(Plugin[ReceiptsConfig]):
    """Gives a signed receipt with each answer that asks for one."""

    id = "service.receipts"
    Config = ReceiptsConfig

    def __init__(self, name: str, config: ReceiptsConfig, context: Context) -> None:
        super().__init__(name, config, context)
        try:
            from gateway_receipts.keys import Signer  # noqa: PLC0415 - what the extra brings
        except ModuleNotFoundError as error:
            raise ConfigError(
                [f"it needs the package '{error.name}': pip install 'asgi-gateway[receipts]'"]
            ) from None
        try:
            self._signer = Signer(config.key.reveal(), config.retired_keys)
        except ValueError as error:
            raise ConfigError([str(error)]) from error
        self._desk = Desk(self._issue, config.tenants)

    async def startup(self) -> None:
        """Make what receipts are owed, now and then."""
        from gateway_receipts.owing import Payer  # noqa: PLC0415 - the database's libraries, which commands may not need

        self._payer = Payer(self.context.database, self._signer)
        self._payer.start()

    async def shutdown(self) -> None:
        await self._payer.stop()

    @hookimpl
    def register_billing(self) -> Sequence[OnSettled]:
        from gateway_receipts.owing import Owing  # noqa: PLC0415 - as in `startup`

        return (Owing(self._desk.wants),)

    @hookimpl
    def register_admin_endpoints(self) -> Sequence[Any]:
        from gateway_receipts.admin import ENDPOINTS  # noqa: PLC0415 - a command needs none of it

        return ENDPOINTS

    @hookimpl
    def register_interceptors(self) -> Sequence[OnFinished]:
        return (self._desk,)

    @hookimpl
    def register_asgi_middleware(self) -> Sequence[Middleware]:
        return (Middleware(Gate, self._desk),)

    @hookimpl
    def register_routes(self) -> Sequence[BaseRoute]:
        return (Route(PATH, self._keys, methods=["GET"]),)

    @hookimpl
    def register_migrations(self) -> Sequence[Path]:
        return (MIGRATIONS,)

    @hookimpl
    def register_commands(self) -> Sequence[click.Command]:
        from gateway_receipts.commands import commands  # noqa: PLC0415 - a running gateway needs none of it

        return (commands(self.context.database, self._signer.public),)

    async def _issue(self, call: str) -> str:
        from gateway_receipts.chain import issue  # noqa: PLC0415 - the database's libraries, which commands may not need

        return await issue(self.context.database, self._signer, call)

    async def _keys(self, _request: Request) -> Response:
        keys: Mapping[str, Any] = self._signer.public
        return JSONResponse(
            keys, headers={"cache-control": "public, max-age=300"}, media_type="application/jwk-set+json"
        )
