"""Keeps calls within what may be spent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.plugin import Plugin, hookimpl
from gateway_budgets.config import BudgetsConfig

if TYPE_CHECKING:
    import click

    from gateway.admin.endpoint import Endpoint
    from gateway.billing import Adjusts
    from gateway.plugin import Context
    from gateway.protocols import Billing

MIGRATIONS = Path(__file__).parent / "migrations"


class Budgets(Plugin[BudgetsConfig]):
    """Refuses calls that would exceed a budget of their key, user, team, tenant or model, and tells at thresholds."""

    id = "billing.budgets"
    Config = BudgetsConfig

    def __init__(self, name: str, config: BudgetsConfig, context: Context) -> None:
        # Imported here, for they need the database's libraries, which whoever only reads a config does not wait for.
        from gateway_budgets.book import Book  # noqa: PLC0415
        from gateway_budgets.holding import Holding  # noqa: PLC0415
        from gateway_budgets.watch import Watch  # noqa: PLC0415

        super().__init__(name, config, context)
        self._book = Book(context.database, config.currencies)
        self._holding = Holding(self._book)
        self.watch = Watch(context.database, self._book, self._holding.touched, config.alerts, log=self.log)

    async def startup(self) -> None:
        """Load the budgets and begin to watch. Raises when the database cannot be read."""
        changes = self.context.changes
        await changes.watch("budgets", self._refresh)
        await changes.watch("api_keys", self._book.refresh_keys)
        for name in ("teams", "memberships"):
            await changes.watch(name, self._book.refresh_teams)
        self.watch.touch_all()
        self.watch.start()

    async def shutdown(self) -> None:
        await self.watch.stop()

    @hookimpl
    def register_billing(self) -> Sequence[Billing]:
        self._holding.prices = self.context.prices
        self._holding.targets = self.context.targets
        return (self._holding,)

    @hookimpl
    def register_adjusters(self) -> Sequence[Adjusts]:
        from gateway_budgets.adjusting import Adjuster  # noqa: PLC0415 - likewise

        config = self.config
        return (Adjuster(self.context.database, config.currencies, config.alerts, log=self.log),)

    @hookimpl
    def register_interceptors(self) -> Sequence[object]:
        return (self._holding,)

    @hookimpl
    def register_migrations(self) -> Sequence[Path]:
        return (MIGRATIONS,)

    @hookimpl
    def register_admin_endpoints(self) -> Sequence[Endpoint]:
        from gateway_budgets.resource import ENDPOINTS  # noqa: PLC0415 - only where there is an admin API

        return ENDPOINTS

    @hookimpl
    def register_commands(self) -> Sequence[click.Command]:
        from gateway_budgets.commands import commands  # noqa: PLC0415 - only for the command line

        return (commands(self.context.database, self.config.currencies, MIGRATIONS),)

    async def _refresh(self, revision: int) -> None:
        await self._book.refresh(revision)
        self.watch.touch_all()
