"""Requests and tokens per minute for each API key: `middleware.ratelimit`."""

from gateway_ratelimit.plugin import RateLimit

__all__ = ["RateLimit"]
