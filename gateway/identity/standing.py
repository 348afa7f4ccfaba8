"""Whether somebody who began something that takes long may still call, and with which rights."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gateway.errors import PermissionDenied
from gateway.identity.keys import principal_of, problem_of
from gateway.store.keys import get_standing
from gateway.types import MAKE_CALLS, Principal

if TYPE_CHECKING:
    from gateway.identity.tenants import Tenants
    from gateway.store import Database


async def as_it_stands(
    database: Database, tenants: Tenants, principal: Principal, *, key: str = "The API key"
) -> tuple[Principal, float]:
    """Return a caller with the rights that its key and its tenant have now, and until when (Unix seconds) the key is good.

    `key` is what a refusal calls the key. Raises `PermissionDenied` when there are no rights left; `Unavailable`.
    """
    principal, until = replace(principal, providers=None), math.inf
    found = await get_standing(database, principal.tenant, principal.key) if principal.key else None
    if found is not None:  # else it is of an authenticator that keeps its keys elsewhere
        problem = problem_of(*found, time.time())
        # What concerns the gateway itself is nothing that a call may do, in whichever tenant.
        principal = principal_of(*found, authenticator=principal.authenticator, operator_tenant="")
        if problem is None and not principal.may(MAKE_CALLS):
            problem = "may not make calls any more"
        if problem is not None:
            raise PermissionDenied(f"{key} {problem}.", code="key_refused")
        until = until if found[0].expires_at is None else found[0].expires_at
    return tenants.admit(principal), until
