"""Credentials in the vault: added, replaced, tried. The operator's have the tenant ''.

A tenant with a credential of its own for a provider, enabled or not, uses only its own: never silently the operator's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace as replaced

from gateway.errors import InvalidRequest, ProviderError
from gateway.store import credentials as store
from gateway.store.checks import check_name
from gateway.store.credentials import Note, StoredCredential
from gateway.store.random_ids import new_id
from gateway.vault.given import API_KEY, Given, packed, takes, unpacked
from gateway.vault.vault import Place, Vault

if TYPE_CHECKING:
    from gateway.protocols import UsesVault
    from gateway.store import Database
    from gateway.store.audit import Actor
    from gateway.store.changes import Expected

MOST_WEIGHT: Final = 100
LONGEST_NAME: Final = 200


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
    given: Given
    weight: int = 1

    def __repr__(self) -> str:
        return f"NewCredential({self.provider}, {self.name!r})"


def place_of(row: StoredCredential) -> Place:
    """What a row's secret is bound to."""
    return _place(row.kind, row.tenant, row.provider, row.id)


def opened(vault: Vault, row: StoredCredential) -> dict[str, str]:
    """Return the fields of a stored credential. Raises `CannotOpen`."""
    return unpacked(row.kind, vault.open(row.sealed, place_of(row)))


async def try_fields(provider: UsesVault, kind: str, fields: Mapping[str, str]) -> Tried:
    """Make a real call with a credential."""
    try:
        asked = await provider.try_credential(kind, fields)
    except ProviderError as error:
        return Tried(ok=False, said=f"{error.status}: {error.message}", at=time.time())
    if not asked:
        return Tried(ok=True, said="Not tried: this service has nothing to ask without cost.", at=None)
    return Tried(ok=True, said="The provider accepts it.", at=time.time())


async def require(provider: UsesVault, given: Given) -> Tried:
    """Make a real call with a credential. Raises `InvalidRequest` (422) when it fails, with what the provider said."""
    tried = await try_fields(provider, given.kind, given.fields)
    if not tried.ok:
        raise InvalidRequest(
            f"A call with this credential failed, so it is not stored. {tried.said} "
            'Store it without a call (--no-check, or "check": false) if it is good all the same.',
            status=422,
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
    check_name("name of a credential", new.name, LONGEST_NAME, param="name")
    check_weight(new.weight)
    given = new.given
    place = _place(given.kind, new.tenant, new.provider, new_id("crd_"))
    sealed, key = vault.seal(packed(given.kind, given.fields), place)
    now = time.time()
    ok_at, error, error_at = _outcome(tried)
    row = StoredCredential(
        tenant=new.tenant,
        id=place.id,
        provider=new.provider,
        kind=given.kind,
        name=new.name,
        sealed=sealed,
        master_key=key,
        hint=given.hint,
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
    given: Given,
    *,
    actor: Actor,
    expected: Expected = None,
    tried: Tried | None = None,
) -> StoredCredential:
    """Put another credential in the place of a row's. Raises as `add`, and as `store.change_credential`."""
    place = _place(given.kind, row.tenant, row.provider, row.id)
    sealed, key = vault.seal(packed(given.kind, given.fields), place)
    ok_at, error, error_at = _outcome(tried)
    new = replaced(
        row,
        kind=given.kind,
        sealed=sealed,
        master_key=key,
        hint=given.hint,
        last_error=error,
        last_error_at=error_at,
        checked_at=ok_at,
    )
    return await store.replace_secret(database, new, actor=actor, expected=expected)


async def check(database: Database, vault: Vault, row: StoredCredential, provider: UsesVault) -> Tried:
    """Try a stored credential, and write down what came of it. Raises `CannotOpen`, `InvalidRequest`."""
    fields = opened(vault, row)
    if row.kind not in {kind.name for kind in provider.credential_kinds}:
        raise InvalidRequest(
            f"It is of the kind '{row.kind}'; as it is configured now, the provider takes {takes(provider)}.",
            code="unknown_credential",
        )
    tried = await try_fields(provider, row.kind, fields)
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


def _place(kind: str, tenant: str, provider: str, id: str) -> Place:
    """Bind what is no single text to its kind, too, so that its fields are never taken for a key."""
    return Place("credential" if kind == API_KEY else f"credential: {kind}", tenant, provider, id)


def _outcome(tried: Tried | None) -> tuple[float | None, str | None, float | None]:
    if tried is None or tried.at is None:
        return None, None, None
    return (tried.at, None, None) if tried.ok else (None, tried.said, tried.at)
