"""A request to the admin API as a handler gets it: authorised and validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from gateway.billing import Adjusts
from gateway.config import Config
from gateway.errors import PermissionDenied
from gateway.ledger import PriceBook, Pricing
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.registry import Registry
from gateway.routing import LiveRoutes, RoutingTable
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.changes import Expected
from gateway.types import Principal
from gateway.vault import Vault

Q = TypeVar("Q")
B = TypeVar("B")


class Services(Struct, frozen=True, kw_only=True):
    """What the gateway lends to the admin API."""

    config: Config
    context: Context
    registry: Registry
    routing: RoutingTable
    routes: LiveRoutes
    prices: PriceBook
    pricing: Pricing
    vault: Vault
    providers: Mapping[str, Provider]
    """By their names in plugins.toml."""
    books: Sequence[Adjusts] = ()
    """Of plugins, which follow when calls are priced again."""
    sinks: Sequence[str] = ()
    """The names of those that this config has."""


class AdminRequest(Struct, Generic[Q, B], frozen=True, kw_only=True):
    """What a handler needs. `Q` is the model of its query, `B` that of its body, or None."""

    services: Services
    principal: Principal
    """Who asks; it has the endpoint's permission."""
    actor: Actor
    """The same for the audit log."""
    tenant: str
    """In whose name: the only tenant whose rows may be read or changed."""
    path: Mapping[str, str]
    """What the path names, by the names in braces."""
    query: Q
    body: B
    expected: Expected = None
    """The revisions from `If-Match`, for `check_expected` within the transaction; None for any."""

    @property
    def context(self) -> Context:
        """What the gateway lends to plugins."""
        return self.services.context

    @property
    def database(self) -> Database:
        """The gateway's database."""
        return self.services.context.database

    @property
    def user(self) -> str:
        """The id of the person who asks. Raises `PermissionDenied` when it is no person's session."""
        if self.principal.user is None or self.principal.session is None:
            raise PermissionDenied("This is for people who are signed in: an API key has no account.")
        return self.principal.user
