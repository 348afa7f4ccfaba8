"""Invoices for what tenants used, from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.plugin import Plugin, hookimpl
from gateway_invoices.config import InvoicesConfig

if TYPE_CHECKING:
    import click

    from gateway.plugin import Context

MIGRATIONS = Path(__file__).parent / "migrations"


class Invoices(Plugin[InvoicesConfig]):
    """Statements of what tenants used, with taxes, numbers without gaps, and credit notes."""

    id = "billing.invoices"
    Config = InvoicesConfig

    def __init__(self, name: str, config: InvoicesConfig, context: Context) -> None:
        super().__init__(name, config, context)
        from gateway_invoices.book import Book  # noqa: PLC0415 - whoever only reads a config does not wait for it
        from gateway_invoices.exporting import Exporter  # noqa: PLC0415

        self.book = Book(context.database, config, lambda: context.charges)
        self.exporter = Exporter(config.font)

    async def startup(self) -> None:
        """Read the font."""
        self.exporter.open()

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

        return (commands(self.book, self.exporter),)
