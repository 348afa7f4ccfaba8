"""The settings of `billing.subscription`."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from gateway.plugin import PluginConfig
from gateway_subscription.plans import Plan


class SubscriptionConfig(PluginConfig):
    """What is sold, and who needs none."""

    plans: Mapping[str, Plan] = Field(
        default={}, description="Plans by their ids; they are added to those that ship, or replace them."
    )
    authenticators: tuple[str, ...] = Field(
        default=(),
        description="Names of the `[auth.NAME]` whose callers need a subscription, as `component`; unless told, all do.",
    )
    priority: int = Field(
        default=50,
        ge=0,
        le=100,
        description="When credit that comes with a plan is spent: 0 before the tenant's other credit, 100 after it.",
    )
    exempt: tuple[str, ...] = Field(
        default=(), description="Tenants that need no subscription, as the operator's own."
    )
