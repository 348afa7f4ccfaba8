"""What may be done in a tenant, and the roles that every tenant has.

A permission is `noun.verb`. Those that begin with `gateway.` concern the whole gateway; only roles in the operator's
tenant can hold them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.types import MAKE_CALLS

PERMISSIONS: Final[Mapping[str, str]] = {
    MAKE_CALLS: "Call models.",
    "tenant.read": "See the tenant, its limits and what it may use.",
    "tenant.update": "Change the tenant's name and retention.",
    "tenant.erase": "Erase the personal data of the tenant, and export it.",
    "users.read": "See the tenant's members, teams and invitations.",
    "users.manage": "Invite and remove members, change their roles, manage teams.",
    "roles.read": "See roles and what they permit.",
    "roles.manage": "Create, change and delete the tenant's own roles.",
    "service_accounts.read": "See service accounts.",
    "service_accounts.manage": "Create, change and delete service accounts.",
    "keys.read": "See all API keys of the tenant.",
    "keys.manage": "Create, change, rotate and revoke any API key of the tenant.",
    "keys.own": "Create, rotate and revoke API keys of one's own.",
    "components.read": "See the services that sign their calls.",
    "components.manage": "Register, change and remove services that sign their calls.",
    "credentials.read": "See the tenant's own provider credentials, masked.",
    "credentials.manage": "Add, change and remove the tenant's own provider credentials.",
    "models.read": "See models and prices.",
    "calls.read": "See all calls of the tenant.",
    "calls.own": "See calls of one's own.",
    "calls.export": "Export calls.",
    "usage.read": "See the tenant's usage.",
    "sessions.read": "See the sessions of the tenant's members.",
    "sessions.manage": "Revoke the sessions of the tenant's members.",
    "audit.read": "Read the audit log of the tenant.",
    "billing.read": "See balances, plans and invoices.",
    "billing.manage": "Buy, change plans, and set budgets.",
    "gateway.tenants": "See, create, change, suspend and erase any tenant.",
    "gateway.credentials": "See and manage the operator's provider credentials.",
    "gateway.billing": "Give and give back credit, and see to the money of any tenant.",
    "gateway.models": "Make, change, disable and remove the names under which models are called.",
    "gateway.config": "See plugins and the effective config.",
    "gateway.audit": "Read the audit log of the whole gateway.",
}
"""Every permission and what it allows."""

_OF_TENANT: Final = frozenset(name for name in PERMISSIONS if not name.startswith("gateway."))
_OF_GATEWAY: Final = frozenset(PERMISSIONS) - _OF_TENANT
_MEMBER: Final = frozenset(
    {MAKE_CALLS, "tenant.read", "keys.own", "models.read", "calls.own", "users.read", "roles.read"}
)

ROLES: Final[Mapping[str, frozenset[str]]] = {
    "owner": _OF_TENANT,
    "admin": _OF_TENANT - {"tenant.erase"},
    "member": _MEMBER,
    "billing": frozenset({"tenant.read", "billing.read", "billing.manage", "usage.read", "models.read"}),
    "viewer": frozenset(
        {"tenant.read", "models.read", "users.read", "roles.read", "usage.read", "calls.read"}
    ),
}
"""The roles that every tenant has; in the operator's, `owner` and `admin` also have what concerns the gateway."""


def permissions_of(role: str, *, operator: bool, custom: frozenset[str] | None = None) -> frozenset[str]:
    """The permissions of a role: a built-in one, or `custom`, a role of the tenant's own; none when it is neither.

    `operator` says that the tenant is the operator's.
    """
    granted = ROLES.get(role, custom or frozenset())
    if operator and role in {"owner", "admin"}:
        return granted | _OF_GATEWAY
    return granted if operator else granted - _OF_GATEWAY
