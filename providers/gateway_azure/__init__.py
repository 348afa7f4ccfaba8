"""OpenAI's models on Azure."""

from __future__ import annotations

from gateway_azure.plugin import Azure

__all__ = ["Azure"]
