"""Who calls and what they may do: permissions, users, tenants, sessions. What plugins and the administration share."""

from __future__ import annotations

from gateway.store.audit import Actor

__all__ = ["Actor"]
