"""Whether what an operator names is there: whoever gives something to a mistyped name gives it to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.document import did_you_mean
from gateway.errors import InvalidRequest
from gateway.store.tenants import list_tenants

if TYPE_CHECKING:
    from gateway.store import Database

FIRST: Final = "default"
"""The tenant of callers and keys that name none; its row comes with the first key, so it is known before."""


async def check_tenant(database: Database, tenant: str) -> None:
    """Raise `InvalidRequest` (404), with the closest name, for a tenant that there is not, or that was erased.

    Only for what operators do: others are not to be told of tenants. Raises `Unavailable`.
    """
    known = [row.id for row in await list_tenants(database) if row.state != "erased"]
    if tenant not in {FIRST, *known}:
        hint = did_you_mean(tenant, known) or f"; make it with `gateway tenants create {tenant}`"
        raise InvalidRequest(
            f"There is no tenant {tenant!r}{hint}", status=404, code="not_found", param="tenant"
        )
