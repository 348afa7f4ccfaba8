"""The ledger of calls, and what they cost."""

from __future__ import annotations

from gateway.ledger.estimate import Estimator
from gateway.ledger.ledger import Ledger
from gateway.ledger.prices import PriceBook, Pricing, flat_price
from gateway.ledger.rated import RatedCalls

__all__ = ["Estimator", "Ledger", "PriceBook", "Pricing", "RatedCalls", "flat_price"]
