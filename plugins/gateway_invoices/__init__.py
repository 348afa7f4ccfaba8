"""Statements of what tenants used, as invoices: `billing.invoices`."""

from __future__ import annotations

from gateway_invoices.plugin import Invoices

__all__ = ["Invoices"]
