"""The settings of `billing.budgets`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from gateway.plugin import PluginConfig


class BudgetsConfig(PluginConfig):
    """What is told, and how foreign money counts."""

    alerts: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        default=(50, 80, 100),
        description="Per cent of a budget at which an alert is noted and logged, once in each period.",
    )
    currencies: Mapping[str, Annotated[Decimal, Field(gt=0)]] = Field(
        default={},
        description="What one unit of a currency is worth in credits, for the budgets that API keys have of their own; "
        "USD is worth 1 unless it says otherwise. A key whose budget is in another one is refused.",
    )
