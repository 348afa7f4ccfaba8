"""Another master key for every credential, some at a time, while gateways serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from gateway.store.credentials import StoredCredential, rewrap_some
from gateway.vault.credentials import place_of
from gateway.vault.envelope import CannotOpen

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.audit import Actor
    from gateway.vault.vault import Vault

BATCH: Final = 100


class Rotated(Struct, frozen=True, kw_only=True):
    """What a rotation did."""

    key: str
    """Id of the key that seals all of them now."""
    done: int
    failed: dict[str, str]
    """Why, by the credential's id. These are as they were."""


async def rotate(database: Database, vault: Vault, *, actor: Actor, batch: int = BATCH) -> Rotated:
    """Wrap every data key with the master key that seals now. Secrets are not touched.

    Each batch is one transaction: what breaks off in the middle leaves every credential whole, and the next run does the
    rest. Running gateways need not know the new key: what they have open stays open. Raises `InvalidRequest` (409)
    without a master key.
    """
    key = vault.current().id
    failed: dict[str, str] = {}
    done, after = 0, ""

    def rewrap(row: StoredCredential) -> bytes | None:
        try:
            return vault.rewrap(row.sealed, place_of(row))
        except CannotOpen as problem:
            failed[row.id] = problem.message
            return None

    while True:
        rows = await rewrap_some(database, key=key, rewrap=rewrap, actor=actor, limit=batch, after=after)
        done += len(rows)
        if len(rows) < batch:
            return Rotated(key=key, done=done - len(failed), failed=failed)
        after = rows[-1].id
