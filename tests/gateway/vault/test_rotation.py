"""Another master key: for every credential, whatever breaks off, while others are at work."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway.provider import ServiceConfig
from gateway.store import Database
from gateway.store.changes import Changes
from gateway.store.credentials import StoredCredential, all_credentials, count_by_key
from gateway.types import CredentialKind, HeldCredential, ReportCredential
from gateway.vault import Vault
from gateway.vault.credentials import NewCredential, add, place_of, replace
from gateway.vault.live import LiveCredentials
from gateway.vault.master import new_master_key
from gateway.vault.rotation import rotate

from .conftest import ANN, of_key


async def fill(database: Database, vault: Vault, count: int) -> list[StoredCredential]:
    return [
        await add(
            database,
            vault,
            NewCredential(tenant="", provider="openai", name=f"n{n}", given=of_key(f"sk-{n}")),
            actor=ANN,
        )
        for n in range(count)
    ]


def opened(vault: Vault, rows: list[StoredCredential]) -> set[str]:
    return {vault.open(row.sealed, place_of(row)) for row in rows}


async def test_every_credential_moves_to_the_new_key(database: Database, key: str, vault: Vault):
    await fill(database, vault, 5)
    new = Vault([new_master_key(), key])
    rotated = await rotate(database, new, actor=ANN, batch=2)
    assert (rotated.done, rotated.failed) == (5, {})
    assert await count_by_key(database) == {new.key_ids[0]: 5}
    assert opened(new, await all_credentials(database)) == {f"sk-{n}" for n in range(5)}
    assert (await rotate(database, new, actor=ANN)).done == 0


async def test_what_broke_off_is_carried_on(
    database: Database, key: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
):
    await fill(database, vault, 5)
    new = Vault([new_master_key(), key])
    rewrap, count = new.rewrap, iter(range(9))

    def crash(*args: object) -> bytes:
        if next(count) == 3:
            raise RuntimeError("the machine went down")
        return rewrap(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(new, "rewrap", crash)
    with pytest.raises(RuntimeError):
        await rotate(database, new, actor=ANN, batch=2)
    assert await count_by_key(database) == {vault.key_ids[0]: 3, new.key_ids[0]: 2}
    assert opened(new, await all_credentials(database)) == {f"sk-{n}" for n in range(5)}
    assert (await rotate(database, new, actor=ANN, batch=2)).done == 3
    assert await count_by_key(database) == {new.key_ids[0]: 5}


async def test_what_no_key_opens_is_named_and_left(database: Database, key: str, vault: Vault):
    (lost,) = await fill(database, Vault([new_master_key()]), 1)
    await fill(database, vault, 2)
    new = Vault([new_master_key(), key])
    rotated = await rotate(database, new, actor=ANN, batch=1)
    assert rotated.done == 2
    assert list(rotated.failed) == [lost.id]
    assert lost.sealed in {row.sealed for row in await all_credentials(database)}


async def test_a_secret_replaced_meanwhile_stays_replaced(database: Database, key: str, vault: Vault):
    rows = await fill(database, vault, 6)
    new = Vault([new_master_key(), key])
    await asyncio.gather(
        rotate(database, new, actor=ANN, batch=1),
        *(replace(database, vault, row, of_key(f"new-{row.name}"), actor=ANN) for row in rows),
    )
    assert opened(new, await all_credentials(database)) == {f"new-n{n}" for n in range(6)}


class User:
    """A provider that remembers what it was given."""

    name = "openai"
    takes_vault = True
    has_credentials = False
    credential_kinds: Sequence[CredentialKind] = ServiceConfig.credential_kinds()

    def __init__(self) -> None:
        self.secrets: set[str | None] = set()
        self.times = 0

    def use_credentials(self, held: Sequence[HeldCredential], report: ReportCredential) -> None:
        self.times += 1
        self.secrets = {(one.fields or {}).get("api_key") for one in held}

    def credential_hint(self, kind: str, fields: Mapping[str, str]) -> str:
        raise NotImplementedError

    async def try_credential(self, kind: str, fields: Mapping[str, str]) -> bool:
        raise NotImplementedError


async def test_a_worker_that_does_not_know_the_new_key_goes_on(database: Database, key: str, vault: Vault):
    await fill(database, vault, 2)
    user, changes = User(), Changes(database)
    live = LiveCredentials(database, changes, vault, [user])
    await live.startup()
    try:
        assert user.secrets == {"sk-0", "sk-1"}
        new = Vault([new_master_key(), key])
        await rotate(database, new, actor=ANN)
        await changes.look()
        assert user.times >= 2
        assert user.secrets == {"sk-0", "sk-1"}
        row = (await all_credentials(database))[0]
        await replace(database, new, row, of_key("sk-unknown-here"), actor=ANN)
        await changes.look()
        assert user.secrets == {None, "sk-1"}
    finally:
        await changes.stop()
        await live.stop()
