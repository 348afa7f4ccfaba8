"""The registered components, held in memory and read anew when one changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from nacl.signing import VerifyKey

from gateway.store.components import all_components
from gateway.types import Principal

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.components import Component, Scheme


class Entry(Struct, frozen=True):
    """A component that may call."""

    key: VerifyKey
    """Of libsodium, which verifies in half the time that OpenSSL needs."""
    principal: Principal


class Components:
    """Components by scheme and key id. Disabled ones are not among them."""

    def __init__(self, database: Database, *, authenticator: str) -> None:
        self._database = database
        self._authenticator = authenticator
        self._entries: dict[tuple[Scheme, str], Entry] = {}

    def find(self, scheme: Scheme, key_id: str) -> Entry | None:
        """The component with that key."""
        return self._entries.get((scheme, key_id))

    def of_scheme(self, scheme: Scheme) -> list[Entry]:
        """All components of a scheme whose signatures do not say who made them."""
        return [entry for (found, _), entry in self._entries.items() if found == scheme]

    async def refresh(self, _revision: int) -> None:
        """Read them all anew: there are few."""
        self._entries = {
            (row.scheme, row.key_id): Entry(VerifyKey(row.public_key), self._of(row))
            for row in await all_components(self._database)
            if row.disabled_at is None
        }

    def _of(self, row: Component) -> Principal:
        return Principal(
            tenant=row.tenant,
            authenticator=self._authenticator,
            key=row.id,
            key_name=row.name,
            roles=frozenset({"component"}),
            scopes=frozenset(row.scopes),
            models=row.models,
        )
