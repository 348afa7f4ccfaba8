"""What an API key stands for: whom, with which rights, and whether its owner lets it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gateway.errors import InvalidRequest, PermissionDenied
from gateway.identity.permissions import PERMISSIONS, permissions_of
from gateway.types import MAKE_CALLS, Principal

if TYPE_CHECKING:
    from gateway.store.key_owners import Owner
    from gateway.store.key_rows import ApiKey

_USUAL = frozenset({MAKE_CALLS})


def problem_of(key: ApiKey, owner: Owner | None, now: float) -> str | None:
    """Why a key is refused, as the end of the sentence "The API key …"; None when it is good."""
    if key.revoked_at is not None:
        return "was revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "has expired"
    return problem_of_owner(key, owner)


def problem_of_owner(key: ApiKey, owner: Owner | None) -> str | None:
    """The same, as far as its owner is concerned."""
    if key.owner is None:
        return None
    if owner is None:
        return "belongs to somebody who is no longer in its tenant"
    return None if owner.disabled_at is None else "belongs to somebody who is disabled"


def principal_of(key: ApiKey, owner: Owner | None, *, authenticator: str, operator_tenant: str) -> Principal:
    """Who calls with a key: its scopes, as far as its owner has them at present."""
    operator = key.tenant == operator_tenant
    scopes = _USUAL if key.scopes is None else frozenset(key.scopes)
    if not operator:
        scopes = frozenset(scope for scope in scopes if not scope.startswith("gateway."))
    if owner is not None:
        scopes &= permissions_of(owner.role, operator=operator, custom=owner.permissions)
    return Principal(
        tenant=key.tenant,
        authenticator=authenticator,
        user=key.owner,
        key=key.id,
        key_name=key.name,
        roles=frozenset() if owner is None else frozenset({owner.role}),
        scopes=scopes,
        limits=key.limits,
        models=key.models,
        endpoints=key.endpoints,
    )


def check_reach(principal: Principal, path: str) -> None:
    """Raise `PermissionDenied` unless the caller's allow-list of endpoints admits a path."""
    if not principal.may_reach(path):
        raise PermissionDenied(f"This API key may not be used for {path}.", code="endpoint_not_allowed")


def check_scopes(scopes: Iterable[str] | None, *, held: frozenset[str] | None) -> None:
    """Raise `InvalidRequest` for what is no permission, `PermissionDenied` for one that is not `held` oneself.

    `held` is None for the operator's commands, which may grant everything.
    """
    for scope in _USUAL if scopes is None else scopes:
        if scope not in PERMISSIONS:
            raise InvalidRequest(f"There is no permission {scope!r}.", param="scopes")
        if held is not None and scope not in held:
            raise PermissionDenied(
                f"A key cannot have the permission '{scope}' from you: you do not have it.", param="scopes"
            )
