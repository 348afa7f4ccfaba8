"""Plans, and who has subscribed to which: `billing.subscription`."""

from __future__ import annotations

from gateway_subscription.plugin import Subscription

__all__ = ["Subscription"]
