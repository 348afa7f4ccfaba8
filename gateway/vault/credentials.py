"""Credentials in the vault: added, replaced, tried. The operator's have the tenant ''.

A tenant with a credential of its own for a provider, enabled or not, uses only its own: never silently the operator's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace as replaced

from gateway.errors import InvalidRequest, ProviderError
from gateway.store import credentials as store
from gateway.store.checks import check_name
from gateway.store.credentials import Note, StoredCredential
from gateway.store.random_ids import new_id
from gateway.vault.vault import Place, Vault

if TYPE_CHECKING:
    from gateway.protocols import UsesVault
    from gateway.store import Database
    from gateway.store.audit import Actor
    from gateway.store.changes import Expected

MOST_WEIGHT: Final = 100
LONGEST_SECRET: Final = 8192
LONGEST_NAME: Final = 200
_HINTED: Final = 20
"""Of shorter secrets nothing is shown: too little would be left to guess."""


class Tried(Struct, frozen=True, kw_only=True):
    """What came of a real call with a credential."""

    ok: bool
    said: str
    """For people: what the provider said, without secrets."""
    at: float | None
    """Unix seconds; None when there was nothing to ask."""


class NewCredential(Struct, frozen=True, kw_only=True):
    """A credential that is to be stored."""

    tenant: str
    provider: str
    """The instance in plugins.toml."""
    name: str
    secret: str
    weight: int = 1

    def __repr__(self) -> str:
        return f"NewCredential({self.provider}, {self.name!r})"


def place_of(row: StoredCredential) -> Place:
    """What a row's secret is bound to."""
    return Place("credential", row.tenant, row.provider, row.id)


def hint_of(secret: str) -> str:
    """A secret as people may see it: `sk-…wxyz`."""
    return f"{secret[:3]}…{secret[-4:]}" if len(secret) >= _HINTED else "…"


async def try_secret(provider: UsesVault, secret: str) -> Tried:
    """Make a real call with a secret."""
    _check_secret(secret)
    try:
        asked = await provider.try_secret(secret)
    except ProviderError as error:
        return Tried(ok=False, said=f"{error.status}: {error.message}", at=time.time())
    if not asked:
        return Tried(ok=True, said="Not tried: this service has nothing to ask without cost.", at=None)
    return Tried(ok=True, said="The provider accepts it.", at=time.time())


async def require(provider: UsesVault, secret: str) -> Tried:
    """Make a real call with a secret. Raises `InvalidRequest` (422) when it fails, with what the provider said."""
    tried = await try_secret(provider, secret)
    if not tried.ok:
        raise InvalidRequest(
            f"A call with this credential failed, so it is not stored. {tried.said} "
            'Store it without a call (--no-check, or "check": false) if it is good all the same.',
            status=422,
            param="secret",
            code="credential_refused",
        )
    return tried


async def add(
    database: Database,
    vault: Vault,
    new: NewCredential,
    *,
    actor: Actor,
    tried: Tried | None = None,
) -> StoredCredential:
    """Seal and store a credential. `tried` is what came of trying it, where it was.

    Raises `InvalidRequest` without a master key (409), and when a value cannot be (400).
    """
    _check_secret(new.secret)
    check_name("name of a credential", new.name, LONGEST_NAME, param="name")
    check_weight(new.weight)
    place = Place("credential", new.tenant, new.provider, new_id("crd_"))
    sealed, key = vault.seal(new.secret, place)
    now = time.time()
    ok_at, error, error_at = _outcome(tried)
    row = StoredCredential(
        tenant=new.tenant,
        id=place.id,
        provider=new.provider,
        name=new.name,
        sealed=sealed,
        master_key=key,
        hint=hint_of(new.secret),
        weight=new.weight,
        enabled=True,
        last_error=error,
        last_error_at=error_at,
        checked_at=ok_at,
        created_at=now,
        updated_at=now,
        revision=0,
    )
    return await store.insert_credential(database, row, actor=actor)


async def replace(
    database: Database,
    vault: Vault,
    row: StoredCredential,
    secret: str,
    *,
    actor: Actor,
    expected: Expected = None,
    tried: Tried | None = None,
) -> StoredCredential:
    """Put another secret in the place of a row's. Raises as `add`, and as `store.change_credential`."""
    _check_secret(secret)
    sealed, key = vault.seal(secret, place_of(row))
    ok_at, error, error_at = _outcome(tried)
    new = replaced(
        row,
        sealed=sealed,
        master_key=key,
        hint=hint_of(secret),
        last_error=error,
        last_error_at=error_at,
        checked_at=ok_at,
    )
    return await store.replace_secret(database, new, actor=actor, expected=expected)


async def check(database: Database, vault: Vault, row: StoredCredential, provider: UsesVault) -> Tried:
    """Try a stored credential, and write down what came of it. Raises `CannotOpen`."""
    tried = await try_secret(provider, vault.open(row.sealed, place_of(row)))
    if tried.at is not None:
        error = None if tried.ok else tried.said
        await store.note(database, [Note(tenant=row.tenant, id=row.id, at=tried.at, error=error)])
    return tried


def check_weight(weight: int) -> None:
    """Raise `InvalidRequest` for a weight that cannot be."""
    if not 1 <= weight <= MOST_WEIGHT:
        raise InvalidRequest(
            f"A weight is 1 to {MOST_WEIGHT}. To take a credential out of use, disable it.", param="weight"
        )


def _check_secret(secret: str) -> None:
    if not secret or len(secret) > LONGEST_SECRET or not (secret.isascii() and secret.isprintable()):
        raise InvalidRequest(
            f"A secret is 1 to {LONGEST_SECRET} printable ASCII characters, as the provider showed it.",
            param="secret",
        )


def _outcome(tried: Tried | None) -> tuple[float | None, str | None, float | None]:
    if tried is None or tried.at is None:
        return None, None, None
    return (tried.at, None, None) if tried.ok else (None, tried.said, tried.at)
