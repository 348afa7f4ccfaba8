"""Requests with an `Idempotency-Key` are carried out once: `middleware.idempotency`."""

from gateway_idempotency.plugin import Idempotency

__all__ = ["Idempotency"]
