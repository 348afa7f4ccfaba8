"""Signed receipts for calls, each account's in a chain: `service.receipts`."""

from __future__ import annotations

from gateway_receipts.plugin import Receipts

__all__ = ["Receipts"]
