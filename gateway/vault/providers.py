"""Which providers take credentials from the vault."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import InvalidRequest
from gateway.protocols import Provider, UsesVault


def provider_of(providers: Mapping[str, Provider], name: str) -> UsesVault:
    """Return a provider that takes credentials from the vault. Raises `InvalidRequest`."""
    provider = providers.get(name)
    if provider is None:
        known = ", ".join(providers) or "none"
        raise InvalidRequest(
            f"There is no provider '{name}' in use; there are: {known}.",
            param="provider",
            code="unknown_provider",
        )
    if not isinstance(provider, UsesVault):
        raise InvalidRequest(
            f"The provider '{name}' has no credentials.", param="provider", code="no_credentials"
        )
    if not provider.takes_vault:
        raise InvalidRequest(
            f"The provider '{name}' takes none from the vault; set `vault = true` in [provider.{name}].",
            param="provider",
            code="vault_not_used",
        )
    return provider
