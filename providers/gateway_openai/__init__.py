"""OpenAI, and every service that speaks its API."""

from __future__ import annotations

from gateway_openai.plugin import OpenAI

__all__ = ["OpenAI"]
