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
    exempt: tuple[str, ...] = Field(
        default=(), description="Tenants that need no subscription, as the operator's own."
    )
