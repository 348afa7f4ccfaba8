"""A provider that answers by itself: deterministic and scriptable, for trying the gateway out and for testing it."""

from __future__ import annotations

from gateway_mock.provider import Mock

__all__ = ["Mock"]
