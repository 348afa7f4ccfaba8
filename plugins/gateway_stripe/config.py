"""The settings of `billing.stripe`."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway import Secret
from gateway.plugin import PluginConfig

NANO: Final = 10**9


def _countable(value: Decimal) -> Decimal:
    if not value.is_finite() or value * NANO != int(value * NANO) or value > 10**9:
        raise ValueError("must have at most nine decimal places, and be at most a thousand million")
    return value


def _reachable(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise ValueError("must begin with https://; http:// is for the loopback only")
    return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Credits = Annotated[Decimal, AfterValidator(_countable)]


class Pack(PluginConfig):
    """Credits that are sold at once."""

    credits: Credits = Field(gt=0, description="How many credits it holds.")
    amount: int = Field(gt=0, lt=10**8, description="What it costs, in the currency's smallest unit: cents.")
    currency: str = Field(pattern="^[a-z]{3}$", description="ISO 4217, in small letters.")
    title: str = Field(
        default="", max_length=200, description="What people see; unless told, how many credits they are."
    )


class Plan(PluginConfig):
    """A subscription to a price that is kept at Stripe."""

    price: str = Field(pattern="^[A-Za-z0-9_]+$", description="The id of the price at Stripe: `price_…`.")
    plan: str | None = Field(
        default=None,
        max_length=64,
        description="The plan of `[billing.subscription]` that it is: status, seats and periods of the tenant's subscription then follow Stripe's.",
    )
    credits: Credits = Field(
        default=Decimal(0),
        ge=0,
        description="Credits that come with each paid period, beside what it is for.",
    )
    title: str = Field(default="", max_length=200, description="What people see; unless told, its name.")


class Meter(PluginConfig):
    """Usage that Stripe bills after the fact."""

    event_name: str = Field(
        pattern="^[A-Za-z0-9_]{1,100}$", description="The meter's event; a meter is made where there is none."
    )
    title: str = Field(default="AI usage", min_length=1, max_length=200, description="The meter's name.")
    unit: Credits = Field(
        default=Decimal("0.000001"),
        gt=0,
        description="How many credits one counted unit is. What is less than one is kept for the next event.",
    )


class StripeConfig(PluginConfig):
    """Which account at Stripe, and what is sold."""

    secret_key: Secret = Field(description="The account's secret key, or a restricted one.")
    webhook_secrets: tuple[Secret, ...] = Field(
        default=(),
        description="Signing secrets of the webhook, several while one replaces another. Without any, webhooks are refused.",
    )
    packs: Mapping[str, Pack] = Field(
        default={}, description="Credit packs by name; they need `[billing.credits]`."
    )
    plans: Mapping[str, Plan] = Field(default={}, description="Subscriptions by name.")
    meter: Meter | None = Field(
        default=None, description="Report charges of tenants that are customers, to be billed after use."
    )
    return_url: str | None = Field(
        default=None,
        pattern="^https?://",
        max_length=500,
        description="Where people come back to after paying; unless told, `public_url`.",
    )
    tolerance_seconds: int = Field(
        default=300, ge=1, le=3600, description="How many seconds a webhook's signature may be old."
    )
    timeout_seconds: float = Field(
        default=15.0, gt=0, le=80, description="How long to wait for Stripe's answer."
    )
    api_base: Annotated[str, AfterValidator(_reachable)] = Field(
        default="https://api.stripe.com", description="Where Stripe's API is."
    )


def nano_of(credits: Decimal) -> int:
    """Credits as an integer of 10⁻⁹."""
    return int(credits * NANO)


def shown(nano: int) -> str:
    """10⁻⁹ credit as credits, exactly and without needless zeros."""
    return f"{(Decimal(nano) / NANO).normalize():f}"
