"""Sells credits and subscriptions through Stripe, and reports usage to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.errors import ConfigError
from gateway.plugin import Plugin, hookimpl
from gateway_stripe.config import StripeConfig

if TYPE_CHECKING:
    import click
    from starlette.routing import BaseRoute

    from gateway.doors import Compares
    from gateway.plugin import Context
    from gateway.protocols import Sink

MIGRATIONS = Path(__file__).parent / "migrations"


class StripeBilling(Plugin[StripeConfig]):
    """Takes money through Stripe: credit packs, subscriptions, metered usage, refunds and disputes."""

    id = "billing.stripe"
    Config = StripeConfig

    def __init__(self, name: str, config: StripeConfig, context: Context) -> None:
        super().__init__(name, config, context)
        try:
            from gateway_stripe.office import Office  # noqa: PLC0415 - what the extra brings
        except ModuleNotFoundError as error:
            raise ConfigError(
                [f"it needs the package '{error.name}': pip install 'asgi-gateway[stripe]'"]
            ) from None
        self._office = Office(name, config, context)

    async def startup(self) -> None:
        """Raise `ConfigError` when credits or plans are sold and nobody keeps them."""
        self._office.require_book()
        if not self.config.webhook_secrets:
            self.log.warning(
                "`webhook_secrets` is empty: webhooks are refused, so only `gateway stripe sync` credits"
            )

    async def check(self) -> None:
        """Show Stripe the key, and look whether what is sold is known there."""
        await self._office.check()

    @hookimpl
    def register_routes(self) -> Sequence[BaseRoute]:
        from gateway_stripe.webhook import Webhook  # noqa: PLC0415 - what the extra brings

        return Webhook(self.config, self._office.events).routes()

    @hookimpl
    def register_sinks(self) -> Sequence[Sink]:
        return () if self._office.metering is None else (self._office.metering,)

    @hookimpl
    def register_comparisons(self) -> Sequence[Compares]:
        from gateway_stripe.comparing import Comparison  # noqa: PLC0415 - a running gateway needs none of it

        return (Comparison(self._office),)

    @hookimpl
    def register_migrations(self) -> Sequence[Path]:
        return (MIGRATIONS,)

    @hookimpl
    def register_admin_endpoints(self) -> Sequence[Any]:
        from gateway_stripe.admin import endpoints  # noqa: PLC0415 - a command needs none of it

        return endpoints(self._office)

    @hookimpl
    def register_commands(self) -> Sequence[click.Command]:
        from gateway_stripe.commands import commands  # noqa: PLC0415 - a running gateway needs none of it

        return (commands(self._office),)
