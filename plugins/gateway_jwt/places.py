"""What the gateway knows of the tenants that tokens name: looked up once, forgotten when anything about it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.store.roles import custom_roles
from gateway.store.tenants import get_tenant

if TYPE_CHECKING:
    from gateway.store import Database

_MOST: Final = 10_000


class Place(Struct, frozen=True):
    """A tenant."""

    state: str
    """`active`, `suspended`, `erased`, or `unknown` when there is none."""
    roles: Mapping[str, frozenset[str]]
    """The permissions of its own roles."""


class Places:
    """The tenants that were asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places: dict[str, Place] = {}
        self._changes = 0

    def forget(self) -> None:
        """Look everything up again."""
        self._changes += 1
        self._places.clear()

    async def find(self, tenant: str) -> Place:
        """What is known of a tenant. Raises `Unavailable` when the database is away."""
        place = self._places.get(tenant)
        if place is not None:
            return place
        changes = self._changes
        try:
            state = (await get_tenant(self._database, tenant)).state
        except InvalidRequest:
            return Place("unknown", {})  # not kept: anybody's guess could fill the memory
        place = Place(
            state, {role.name: role.permissions for role in await custom_roles(self._database, tenant)}
        )
        if changes == self._changes:
            if len(self._places) >= _MOST:
                self._places.clear()
            self._places[tenant] = place
        return place
