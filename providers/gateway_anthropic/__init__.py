"""Anthropic, and every service that speaks its Messages API."""

from __future__ import annotations

from gateway_anthropic.plugin import Anthropic

__all__ = ["Anthropic"]
