"""The vault: credentials of providers, sealed in the database and open in memory only."""

from __future__ import annotations

from gateway.vault.envelope import CannotOpen
from gateway.vault.vault import Place, Vault

__all__ = ["CannotOpen", "Place", "Vault"]
