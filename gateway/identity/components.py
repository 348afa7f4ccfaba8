"""Registering components: whose key it is, and what it may do."""

from __future__ import annotations

import binascii
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

import msgspec

from gateway.errors import InvalidRequest, PermissionDenied
from gateway.identity.permissions import PERMISSIONS
from gateway.sdk.did_abt import APPLICATION, abt_did
from gateway.sdk.did_key import ED25519, did_of, key_of
from gateway.store.components import (
    REGISTRATION,
    Component,
    NewComponent,
    Scheme,
    check_new,
    create_component,
)
from gateway.store.tickets import Tickets

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.audit import Actor

TICKET_SECONDS: Final = 24 * 3600.0
_HEX: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")


def read_public_key(text: str) -> bytes:
    """The 32 bytes of an Ed25519 public key, given as a did:key, in hexadecimal or in base64. Raises `InvalidRequest`."""
    if text.startswith("did:"):
        kind, key = key_of(text)
        if kind == ED25519:
            return key
    elif found := _HEX.fullmatch(text):
        return bytes.fromhex(found[1])
    else:
        try:
            key = binascii.a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
        except ValueError:
            key = b""
        if len(key) == 32:  # noqa: PLR2004 - of Ed25519
            return key
    raise InvalidRequest(
        "A component's key is an Ed25519 public key: a did:key, 64 hexadecimal digits, or base64.",
        param="public_key",
    )


def key_id_of(scheme: Scheme, public_key: bytes) -> str:
    """How signatures of a scheme name a key: by its did:key, or by AIGNE's DID of the app."""
    return did_of(public_key) if scheme == "rfc9421" else abt_did(public_key, APPLICATION)


def check_scopes(scopes: Collection[str], held: Collection[str] | None) -> None:
    """Refuse scopes that there are not, and those that the actor does not hold; `held` is None for the operator's commands.

    Raises `InvalidRequest`, `PermissionDenied`.
    """
    unknown = sorted(set(scopes) - set(PERMISSIONS))
    if unknown:
        raise InvalidRequest(f"There is no permission {unknown[0]!r}.", param="scopes")
    missing = [] if held is None else sorted(set(scopes) - set(held))
    if missing:
        raise PermissionDenied(f"You cannot give the permission {missing[0]!r}, which you do not have.")


async def register(
    database: Database,
    new: NewComponent,
    public_key: str,
    *,
    scheme: Scheme = "rfc9421",
    held: Collection[str] | None,
    actor: Actor,
) -> Component:
    """Register a component with its key. Raises what `check_scopes` and `create_component` raise."""
    check_scopes(new.scopes, held)
    key = read_public_key(public_key)
    return await create_component(database, new, scheme, key_id_of(scheme, key), key, actor=actor)


async def invite(
    database: Database,
    new: NewComponent,
    *,
    held: Collection[str] | None,
    seconds: float = TICKET_SECONDS,
) -> str:
    """Make a ticket with which a component registers itself, once: it brings its own key. Raises as `register`."""
    check_scopes(new.scopes, held)
    check_new(new)
    return await Tickets(database, REGISTRATION).issue(msgspec.to_builtins(new), seconds=seconds)
