"""Invoices for what tenants used, from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.doors import Covers
from gateway.plugin import Plugin, hookimpl
from gateway_invoices.config import InvoicesConfig

if TYPE_CHECKING:
    import click

    from gateway.doors import Compares
    from gateway.plugin import Context
    from gateway_invoices.monthly import Monthly

MIGRATIONS = Path(__file__).parent / "migrations"


class Invoices(Plugin[InvoicesConfig]):
    """Statements of what tenants used, with taxes, numbers without gaps, and credit notes."""

    id = "billing.invoices"
    Config = InvoicesConfig

    def __init__(self, name: str, config: InvoicesConfig, context: Context) -> None:
        super().__init__(name, config, context)
        from gateway_invoices.book import Book  # noqa: PLC0415 - whoever only reads a config does not wait for it
        from gateway_invoices.exporting import Exporter  # noqa: PLC0415

        self.book = Book(
            context.database,
            config,
            lambda: context.charges,
            lambda: [each for each in (context.subscriptions, context.credits) if isinstance(each, Covers)],
        )
        self.exporter = Exporter(config.font)
        self._monthly: Monthly | None = None

    async def startup(self) -> None:
        """Read the font, and begin to draft where months are drafted by themselves."""
        self.exporter.open()
        automatic = self.config.automatic
        if automatic is not None:
            from gateway_invoices.monthly import Monthly  # noqa: PLC0415 - only where it is wanted

            self._monthly = Monthly(
                self.book,
                automatic.issue_after_days,
                self.context.worker or self.name,
                operator_tenant=self.context.sessions.rules.operator_tenant,
            )
            self._monthly.start()

    async def shutdown(self) -> None:
        if self._monthly is not None:
            await self._monthly.stop()

    @hookimpl
    def register_comparisons(self) -> Sequence[Compares]:
        from gateway_invoices.comparing import Comparison  # noqa: PLC0415 - a running gateway needs none of it

        return (Comparison(self.book),)

    @hookimpl
    def register_migrations(self) -> Sequence[Path]:
        return (MIGRATIONS,)

    @hookimpl
    def register_admin_endpoints(self) -> Sequence[Any]:
        from gateway_invoices.admin import endpoints  # noqa: PLC0415 - a command needs none of it

        return endpoints(self.book, self.exporter)

    @hookimpl
    def register_commands(self) -> Sequence[click.Command]:
        from gateway_invoices.commands import commands  # noqa: PLC0415 - a running gateway needs none of it

        return (commands(self.book, self.exporter, self.context.migrations),)
