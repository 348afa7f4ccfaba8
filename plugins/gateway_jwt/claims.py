"""Reads claims, and makes a principal of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from gateway.identity.permissions import PERMISSIONS, ROLES, permissions_of
from gateway.store.tenants import MAX_ID
from gateway.types import Principal

if TYPE_CHECKING:
    from gateway_jwt.config import IssuerConfig


class Unusable(Exception):
    """The claims are genuine, but nobody can be made of them here. Says why, for the client."""


def at(claims: Mapping[str, Any], path: str) -> Any:
    """The value at a path; None when there is none.

    A claim whose whole name is the path comes first: names such as `https://example.com/roles` hold dots themselves.
    """
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, Any]", value).get(name)
    return value


def words(value: Any, *, split: bool = True) -> tuple[str, ...]:
    """A list of texts, or one text with spaces in between (RFC 8693 §4.2); everything else holds none."""
    match value:
        case str():
            return tuple(value.split()) if split else (value,)
        case list():
            return tuple(one for one in cast("list[Any]", value) if isinstance(one, str))
        case _:
            return ()


def tenant_of(config: IssuerConfig, claims: Mapping[str, Any]) -> str:
    """For whom the token acts. Raises `Unusable`."""
    named = at(claims, config.claims.tenant) if config.claims.tenant is not None else None
    if named is None:
        return config.tenant
    if not isinstance(named, str) or not 0 < len(named) <= MAX_ID or not named.isprintable():
        raise Unusable(f"Its claim {config.claims.tenant} must be the id of a tenant.")
    if config.tenants is not None and named not in config.tenants:
        raise Unusable("Its issuer may not speak for the tenant that it names.")
    return named


def roles_of(
    config: IssuerConfig, claims: Mapping[str, Any], custom: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """The roles that the token names and that there are: those every tenant has, and the tenant's own."""
    named = (config.roles.get(role, role) for role in words(at(claims, config.claims.roles)))
    return frozenset(role for role in named if role in ROLES or role in custom)


def principal_of(
    name: str,
    config: IssuerConfig,
    claims: Mapping[str, Any],
    *,
    authenticator: str,
    tenant: str,
    account: str | None,
    custom: Mapping[str, frozenset[str]],
    operator: bool,
) -> Principal:
    """Make a principal of verified claims.

    `name` is the issuer's, `account` the user whom its bearer is here, if any; `custom` holds the permissions of the
    tenant's own roles, `operator` says that the tenant is the operator's. Raises `Unusable`.
    """
    user = at(claims, config.claims.user)
    if not isinstance(user, str) or not user:
        raise Unusable(f"Its claim {config.claims.user} must say who its bearer is.")
    roles = roles_of(config, claims, custom)
    granted = set(config.permissions)
    for role in roles:
        granted |= permissions_of(role, operator=operator, custom=custom.get(role))
    scopes = PERMISSIONS.keys() & set(words(at(claims, config.claims.scopes)))
    granted |= scopes if operator else {scope for scope in scopes if not scope.startswith("gateway.")}
    try:
        return Principal(
            tenant=tenant,
            authenticator=authenticator,
            user=account or f"{name}:{user}",
            roles=roles,
            scopes=frozenset(granted),
        )
    except ValueError as error:
        raise Unusable(f"Its bearer cannot be noted in the ledger: {error}.") from None
