"""Prepaid credits, booked twice: `billing.credits`."""

from __future__ import annotations

from gateway_credits.plugin import Credits

__all__ = ["Credits"]
