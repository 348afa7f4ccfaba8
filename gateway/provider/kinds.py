"""What a service takes as a credential from the vault: settings of its config that belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from gateway.types import CredentialField, CredentialKind

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


class Together(Struct, frozen=True):
    """Names of settings that make up one credential. People know it by the first, masked."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    """Those that are no secrets."""
    hint: Callable[[Mapping[str, str]], str] | None = None
    """Finds what people know it by, where that is not the first."""

    def as_kind(self, name: str, settings: Mapping[str, FieldInfo]) -> CredentialKind:
        """Describe it in the words of the settings."""
        return CredentialKind(
            name=name,
            fields=tuple(
                CredentialField(
                    name=one,
                    description=settings[one].description or "",
                    required=one in self.required,
                    secret=one not in self.shown,
                )
                for one in (*self.required, *self.optional)
            ),
        )
