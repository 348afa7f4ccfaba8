"""What tenants may do, held in memory: one look into a dict for each call, and nothing for tenants without rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import PermissionDenied
from gateway.store.tenants import REVISION, Tenant, tenants_since
from gateway.types import CallLimits, narrowed

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.changes import Changes
    from gateway.types import Principal


class Policy(Struct, frozen=True, kw_only=True):
    """The rules of a tenant that has any."""

    state: str
    """`active`, `suspended` or `erased`."""
    models: tuple[str, ...] | None
    providers: tuple[str, ...] | None
    limits: CallLimits | None

    def admit(self, principal: Principal) -> Principal:
        """Narrow a principal down to what its tenant may use. Raises `PermissionDenied` when it is not served."""
        if self.state != "active":
            raise PermissionDenied(
                f"The tenant of this account is {self.state}.", code=f"tenant_{self.state}"
            )
        if self.models is None and self.providers is None:
            return principal
        return replace(
            principal,
            models=narrowed(principal.models, self.models),
            providers=narrowed(principal.providers, self.providers),
        )


class Tenants:
    """The policies of all tenants that have one, the same in every worker within a second of a change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._revision = 0
        self.policies: dict[str, Policy] = {}
        """By tenant; the dict itself stays the same."""

    async def startup(self, changes: Changes) -> None:
        """Load the policies and watch for changes. Raises what the database raises."""
        self.policies.clear()
        self._revision = 0
        await changes.watch(REVISION, self._refresh)

    def admit(self, principal: Principal) -> Principal:
        """Narrow a principal down to what its tenant may use. Raises `PermissionDenied` when it is not served."""
        policy = self.policies.get(principal.tenant)
        return principal if policy is None else policy.admit(principal)

    async def _refresh(self, revision: int) -> None:
        if revision < self._revision:  # another table than before: a restored backup
            self._revision = 0
            self.policies.clear()
        self._revision, changed = await tenants_since(self._database, self._revision)
        for tenant in changed:
            policy = _policy_of(tenant)
            if policy is None:
                self.policies.pop(tenant.id, None)
            else:
                self.policies[tenant.id] = policy


def _policy_of(tenant: Tenant) -> Policy | None:
    policy = Policy(
        state=tenant.state, models=tenant.models, providers=tenant.providers, limits=tenant.limits
    )
    return None if policy == _NONE else policy


_NONE = Policy(state="active", models=None, providers=None, limits=None)
