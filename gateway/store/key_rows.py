"""An API key as a row: what it holds, what of it may be set, and what is checked of that."""

from __future__ import annotations

from decimal import Decimal
from ipaddress import IPv6Network, ip_network
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import null

from gateway.errors import InvalidRequest
from gateway.store.checks import check_name
from gateway.types import CallLimits

MAX_NAME = 200
MAX_ENTRIES = 200
"""Of each list."""
_JSON = frozenset({"scopes", "models", "endpoints", "networks", "limits", "budget"})
_MAPPED: Final = ip_network("::ffff:0:0/96")
_MAPPED_BITS: Final = 96


class Budget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a key may spend."""

    amount: Decimal
    currency: str = "USD"
    period: Literal["day", "week", "month", "total"] = "month"


class ApiKey(Struct, frozen=True, kw_only=True):
    """A row of `api_keys`. Times are Unix seconds."""

    id: str
    tenant: str
    name: str
    hint: str
    """The first and last characters, for people."""
    digest: bytes
    owner: str | None
    """The user or service account that it belongs to: it can do no more than they can."""
    scopes: tuple[str, ...] | None
    """Permissions; None is to make calls, and no more."""
    models: tuple[str, ...] | None
    """Names (or `prefix*` patterns) that the key may call; None allows all."""
    endpoints: tuple[str, ...] | None
    """Paths (or `prefix*` patterns) that it may be used for; None allows all."""
    networks: tuple[str, ...] | None
    """Networks and addresses that it may come from; None allows all."""
    limits: CallLimits | None
    budget: Budget | None
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    """To the minute."""
    revision: int

    def state(self, now: float) -> str:
        """`active`, `expired` or `revoked` at that moment."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active"


class KeySettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may be set of a key; what is left unset stays, and None takes a restriction away."""

    name: str | UnsetType = UNSET
    scopes: tuple[str, ...] | UnsetType | None = UNSET
    models: tuple[str, ...] | UnsetType | None = UNSET
    endpoints: tuple[str, ...] | UnsetType | None = UNSET
    networks: tuple[str, ...] | UnsetType | None = UNSET
    limits: CallLimits | UnsetType | None = UNSET
    budget: Budget | UnsetType | None = UNSET
    expires_at: float | UnsetType | None = UNSET


NOTHING: Final = KeySettings()


def settings_of(key: ApiKey) -> KeySettings:
    """Everything that is set of a key."""
    return KeySettings(**{name: getattr(key, name) for name in KeySettings.__struct_fields__})


def shown(settings: KeySettings) -> dict[str, Any]:
    """What is set, as plain JSON, for the audit log; without what is empty."""
    return {name: value for name, value in msgspec.to_builtins(settings).items() if value is not None}


def stored(settings: KeySettings) -> dict[str, Any]:
    """Check what is set, and return its columns. Raises `InvalidRequest`."""
    if isinstance(settings.name, str):
        check_name("name of an API key", settings.name, MAX_NAME, param="name")
    for what in ("scopes", "models", "endpoints", "networks"):
        _check_list(what, getattr(settings, what))
    if isinstance(settings.limits, CallLimits):
        for name, value in msgspec.structs.asdict(settings.limits).items():
            if value is not None and value < 1:
                raise InvalidRequest(f"The limit {name} is a whole number from 1 on.", param="limits")
    if isinstance(settings.budget, Budget):
        _check_budget(settings.budget)
    values = msgspec.to_builtins(settings)
    if isinstance(settings.networks, tuple):
        values["networks"] = [_network(entry) for entry in settings.networks]
    # A JSON column that is to be empty holds NULL, not JSON's null.
    return {name: null() if name in _JSON and value is None else value for name, value in values.items()}


def _check_list(what: str, entries: tuple[str, ...] | UnsetType | None) -> None:
    if not isinstance(entries, tuple):
        return
    if len(entries) > MAX_ENTRIES:
        raise InvalidRequest(f"An API key has at most {MAX_ENTRIES} {what}.", param=what)
    for entry in entries:
        check_name(f"entry of {what}", entry, MAX_NAME, param=what)
        if what == "endpoints" and not entry.startswith("/"):
            raise InvalidRequest(
                f"{entry!r} is no path: endpoints look like /v1/embeddings or /v1/audio/*.", param=what
            )


def _check_budget(budget: Budget) -> None:
    if not (budget.amount.is_finite() and budget.amount > 0):
        raise InvalidRequest("The amount of a budget is a number above 0.", param="budget")
    if not (budget.currency.isascii() and budget.currency.isupper() and budget.currency.isalnum()):
        raise InvalidRequest("The currency of a budget is written in capitals, as USD.", param="budget")
    check_name("currency of a budget", budget.currency, 12, param="budget")


def _network(entry: str) -> str:
    """Write a network in the one way in which addresses are compared: IPv4 within IPv6 is IPv4."""
    try:
        network = ip_network(entry)
    except ValueError as error:
        raise InvalidRequest(
            f"{entry!r} is no address and no network ({error}); they look like 192.0.2.7 and 10.0.0.0/8.",
            param="networks",
        ) from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):  # pyright: ignore[reportArgumentType] - both are of IPv6
        inner = network.network_address.ipv4_mapped
        return f"{inner}/{network.prefixlen - _MAPPED_BITS}"
    return str(network)
