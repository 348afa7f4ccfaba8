"""Files, caches and batches that a provider keeps for Google's clients: each tenant's own. https://ai.google.dev/api."""

from __future__ import annotations

from gateway.api.google.asking import Asking
from gateway.api.google.keeper import GoogleKeeper
from gateway.api.google.names import GoogleNames
from gateway.api.google.routes import google_routes, unserved_routes
from gateway.api.google.uploads import Uploads

__all__ = ["Asking", "GoogleKeeper", "GoogleNames", "Uploads", "google_routes", "unserved_routes"]
