"""What a service takes as a credential from the vault: settings of its config that belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from gateway.types import CredentialField, CredentialKind

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from gateway.provider.credentials import Credential


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


class Maker(Struct, frozen=True, kw_only=True):
    """Makes credentials of one kind."""

    kind: CredentialKind
    make: Callable[[Mapping[str, str]], Credential]
    """Takes the fields by name. Raises `ConfigError` when they are none."""
    hint: Callable[[Mapping[str, str]], str]
    """The text by which people know one, to be masked."""

    def secrets(self, fields: Mapping[str, str]) -> tuple[str, ...]:
        """Those of the fields that are secret."""
        return tuple(fields[one.name] for one in self.kind.fields if one.secret and one.name in fields)
