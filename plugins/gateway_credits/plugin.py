"""Lets call who has paid before, and takes what each call costs."""

from __future__ import annotations

import string
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from gateway.errors import InvalidRequest
from gateway.plugin import Plugin, PluginConfig, hookimpl
from gateway_credits.account import nano_of
from gateway_credits.adjusting import Adjuster
from gateway_credits.book import Welcome
from gateway_credits.gate import Gate
from gateway_credits.holding import Holding
from gateway_credits.keeper import Keeper
from gateway_credits.showing import ShownBook

if TYPE_CHECKING:
    import click

    from gateway.billing import Adjusts
    from gateway.plugin import Context
    from gateway.protocols import AroundCall, Billing, OnFinished

MIGRATIONS = Path(__file__).parent / "migrations"
_DAY = 86_400.0


class CreditsConfig(PluginConfig):
    """Settings of `billing.credits`. Amounts are credits."""

    per: Literal["tenant", "user"] = Field(
        default="tenant",
        description="Whose accounts they are. With `user`, calls of nobody in particular are paid by the tenant.",
    )
    except_authenticators: tuple[str, ...] = Field(
        default=(),
        description="Names of the `[auth.NAME]` whose callers pay no credits, as components that have a subscription.",
    )
    welcome: Decimal = Field(
        default=Decimal(0), ge=0, description="What each account begins with, as a promotional grant."
    )
    welcome_days: float | None = Field(
        default=None, gt=0, description="After how many days the welcome expires; unless told, it does not."
    )
    floor: Decimal = Field(
        default=Decimal(0),
        le=0,
        description="How far below zero holds may take an account: `-5` lends five credits.",
    )
    largest_hold: Decimal | None = Field(
        default=None,
        gt=0,
        description="The most that is held for one call; what it costs beyond may take the account below its floor.",
    )
    unpriced_hold: Decimal = Field(
        default=Decimal("0.01"), ge=0, description="What is held for a call whose price is not known."
    )
    hold_seconds: float = Field(
        default=3600.0,
        ge=60,
        description="After how long a hold is let go whose call is not running any more and was never settled.",
    )
    low_balance: Decimal = Field(
        default=Decimal(1),
        ge=0,
        description="Below this balance, an account counts as low, which is told once.",
    )
    payment_url: str | None = Field(
        default=None,
        max_length=500,
        description="Where to add credit; `{tenant}` and `{user}` are filled in. Shown in refusals.",
    )
    check_seconds: float = Field(
        default=5.0, ge=0.05, description="How often expired credit and low balances are looked for."
    )

    @field_validator("welcome", "floor", "largest_hold", "unpriced_hold", "low_balance")
    @classmethod
    def _countable(cls, value: Decimal | None) -> Decimal | None:
        if value is not None:
            try:
                nano_of(value)
            except InvalidRequest as error:
                raise ValueError(error.message) from error
        return value

    @field_validator("payment_url")
    @classmethod
    def _fillable(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("https://", "http://")) or not value.isascii() or not value.isprintable():
            raise ValueError("must be a URL of printable ASCII that begins with https:// or http://")
        names = {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}
        if unknown := names - {"tenant", "user"}:
            raise ValueError(f"knows {{tenant}} and {{user}}, not {', '.join(sorted(unknown))}")
        return value


class Credits(Plugin[CreditsConfig]):
    """Prepaid credits in a double-entry journal: held before a call, captured when it has ended."""

    id = "billing.credits"
    Config = CreditsConfig

    def __init__(self, name: str, config: CreditsConfig, context: Context) -> None:
        super().__init__(name, config, context)
        amount, days = nano_of(config.welcome), config.welcome_days
        welcome = Welcome(amount, None if days is None else days * _DAY) if amount else None
        floor = nano_of(config.floor)
        self.book = ShownBook(
            context.database,
            per=config.per,
            welcome=welcome,
            free=config.except_authenticators,
            payment_url=config.payment_url,
        )
        context.credits = self.book
        self._holding = Holding(
            per=config.per,
            floor=floor,
            largest_hold=None if config.largest_hold is None else nano_of(config.largest_hold),
            unpriced_hold=nano_of(config.unpriced_hold),
            lease=config.hold_seconds,
            free=config.except_authenticators,
        )
        self._gate = Gate(self._holding, self.book, opens=welcome is not None, payment_url=config.payment_url)
        self._keeper = Keeper(
            self.book,
            touched=self._holding.touched,
            low=nano_of(config.low_balance),
            floor=floor,
            pause=config.check_seconds,
            log=self.log,
        )

    async def startup(self) -> None:
        """Begin to keep the books."""
        self._keeper.start()

    async def shutdown(self) -> None:
        await self._keeper.stop()

    @hookimpl
    def register_billing(self) -> Sequence[Billing]:
        self._holding.prices = self.context.prices
        return (self._holding,)

    @hookimpl
    def register_adjusters(self) -> Sequence[Adjusts]:
        return (Adjuster(self.config.per, self.config.except_authenticators),)

    @hookimpl
    def register_interceptors(self) -> Sequence[AroundCall | OnFinished]:
        return (self._gate, self._holding)

    @hookimpl
    def register_migrations(self) -> Sequence[Path]:
        return (MIGRATIONS,)

    @hookimpl
    def register_admin_endpoints(self) -> Sequence[Any]:
        from gateway_credits.admin import endpoints  # noqa: PLC0415 - a command needs none of it

        return endpoints(self.book)

    @hookimpl
    def register_commands(self) -> Sequence[click.Command]:
        from gateway_credits.commands import commands  # noqa: PLC0415 - a running gateway needs none of it

        return (commands(self.book),)
