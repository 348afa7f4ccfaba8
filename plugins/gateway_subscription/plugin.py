"""Sells plans: lets calls through for tenants that have subscribed, and counts what they use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import ConfigError
from gateway.plugin import Plugin, hookimpl
from gateway_subscription.config import SubscriptionConfig

if TYPE_CHECKING:
    import click
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.admin.endpoint import Endpoint
    from gateway.billing import Adjusts
    from gateway.doors import Covered, Fee, Standing, Terms
    from gateway.plugin import Context
    from gateway.protocols import Billing
    from gateway.store.audit import Actor
    from gateway_subscription.covering import Cover

MIGRATIONS = Path(__file__).parent / "migrations"


class Subscription(Plugin[SubscriptionConfig]):
    """Refuses calls of tenants without a valid subscription; renews, changes and ends subscriptions."""

    id = "billing.subscription"
    Config = SubscriptionConfig

    def __init__(self, name: str, config: SubscriptionConfig, context: Context) -> None:
        # Imported here, for they need the database's libraries, which whoever only reads a config does not wait for.
        from gateway_subscription.holding import Holding  # noqa: PLC0415
        from gateway_subscription.keeper import Keeper  # noqa: PLC0415
        from gateway_subscription.plans import Plans  # noqa: PLC0415
        from gateway_subscription.recounting import Recounter  # noqa: PLC0415

        super().__init__(name, config, context)
        self.plans = Plans(config.plans)
        self._holding = Holding(self.plans, config.exempt, config.authenticators)
        self.recounter = Recounter(config.authenticators, config.exempt)
        self.keeper = Keeper(
            context,
            self.plans,
            self.recounter,
            priority=None if config.authenticators else config.priority,
            log=self.log,
        )
        context.subscriptions = self

    async def startup(self) -> None:
        """Load the subscriptions and begin to renew. Raises `ConfigError` when the plan of one is gone."""
        from gateway_subscription.terms import keep_terms  # noqa: PLC0415 - see above

        await keep_terms(self.context.database, self.plans)
        await self.context.changes.watch("subscriptions", self._refresh)
        gone = {
            plan
            for row in self._holding.by_tenant.values()
            for plan in (row.plan, row.next_plan)
            if row.served and plan is not None and plan not in self.plans.by_id
        }
        if gone:
            raise ConfigError(
                [
                    f"[billing.{self.name}] there are subscriptions to the plan '{plan}': describe it in plans.{plan}"
                    for plan in sorted(gone)
                ]
            )
        self.keeper.start()

    async def shutdown(self) -> None:
        await self.keeper.stop()

    def trial_days(self, tenant: str, plan: str, seats: int) -> int:
        """See `gateway.doors.SubscriptionBook`."""
        found = self.plans.checked(plan, seats)
        return 0 if tenant in self._holding.by_tenant else found.trial_days

    async def standing(self, tenant: str) -> Standing | None:
        """See `gateway.doors.SubscriptionBook`."""
        from gateway_subscription.rows import find_subscription, standing_of  # noqa: PLC0415 - see above

        row = await find_subscription(self.context.database, tenant)
        return None if row is None else standing_of(row)

    async def cancel(self, tenant: str, *, at_end: bool, actor: Actor) -> Standing:
        """See `gateway.doors.SubscriptionBook`."""
        from gateway_subscription.rows import cancel, resume, standing_of  # noqa: PLC0415 - see above

        step = cancel if at_end else resume
        return standing_of(await step(self.context.database, self.plans, tenant, actor=actor))

    async def follow(self, tenant: str, standing: Standing) -> bool:
        """See `gateway.doors.SubscriptionBook`."""
        from gateway_subscription.rows import follow  # noqa: PLC0415 - see above

        return await follow(self.context.database, self.plans, self.recounter, tenant, standing)

    def terms(self) -> Terms:
        """See `gateway.doors.Covers`."""
        return self._cover().terms()

    async def cover(
        self, connection: AsyncConnection, tenant: str, since: float, until: float, terms: Terms
    ) -> Sequence[Fee | Covered]:
        """See `gateway.doors.Covers`."""
        return await self._cover().cover(connection, tenant, since, until, terms)

    def _cover(self) -> Cover:
        from gateway_subscription.covering import Cover  # noqa: PLC0415 - only where there are invoices

        named = self.config.authenticators
        return Cover(self.plans, named, as_credit=self.context.credits is not None and not named)

    @hookimpl
    def register_billing(self) -> Sequence[Billing]:
        self._holding.prices = self.context.prices
        self.context.prices.use_plans(self._holding.plan_of)
        return (self._holding,)

    @hookimpl
    def register_adjusters(self) -> Sequence[Adjusts]:
        from gateway_subscription.adjusting import Adjuster  # noqa: PLC0415 - see above

        return (Adjuster(self.config.authenticators),)

    @hookimpl
    def register_interceptors(self) -> Sequence[object]:
        return (self._holding,)

    @hookimpl
    def register_migrations(self) -> Sequence[Path]:
        return (MIGRATIONS,)

    @hookimpl
    def register_admin_endpoints(self) -> Sequence[Endpoint]:
        from gateway_subscription.resource import Desk  # noqa: PLC0415 - only where there is an admin API

        return Desk(self.plans).endpoints()

    @hookimpl
    def register_commands(self) -> Sequence[click.Command]:
        from gateway_subscription.commands import commands  # noqa: PLC0415 - only for the command line

        return commands(self.context.database, self.plans, MIGRATIONS)

    async def _refresh(self, _revision: int) -> None:
        from gateway_subscription.rows import all_subscriptions  # noqa: PLC0415 - see above

        self._holding.by_tenant = {row.tenant: row for row in await all_subscriptions(self.context.database)}
