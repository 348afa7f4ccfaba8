"""The ledger of calls, and what they cost."""

from __future__ import annotations

from gateway.ledger.ledger import Ledger
from gateway.ledger.prices import PriceBook, Pricing, flat_price

__all__ = ["Ledger", "PriceBook", "Pricing", "flat_price"]
