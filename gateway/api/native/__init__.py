"""Files and batches that a provider keeps and carries out: its own ids, its own words, only its own tenants' things."""

from __future__ import annotations

from gateway.api.native.endpoints import NativeEndpoints
from gateway.api.native.keeper import NativeKeeper
from gateway.api.native.names import OpenAINames
from gateway.api.native.remote import Remote
from gateway.api.native.watcher import Watcher

__all__ = ["NativeEndpoints", "NativeKeeper", "OpenAINames", "Remote", "Watcher"]
