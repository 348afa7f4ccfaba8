"""The Responses API with its stored state. https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

from gateway.api.responses.endpoints import response_endpoints
from gateway.api.responses.keeper import Keeper

__all__ = ["Keeper", "response_endpoints"]
