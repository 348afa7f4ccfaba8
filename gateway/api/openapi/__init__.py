"""The description of the client routes: GET /openapi.json, in OpenAPI 3.1."""

from __future__ import annotations

from gateway.api.openapi.document import OpenApiEndpoint, describe

__all__ = ["OpenApiEndpoint", "describe"]
