"""What may be spent by key, user, team, tenant and model: `billing.budgets`."""

from __future__ import annotations

from gateway_budgets.plugin import Budgets

__all__ = ["Budgets"]
