"""Stored credentials: sealed, each tenant's apart, audited without the secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.errors import InvalidRequest, ProviderError
from gateway.provider import ServiceConfig
from gateway.store import Database
from gateway.store.credentials import (
    MOST_OF_A_TENANT,
    OPERATOR,
    Note,
    StoredCredential,
    change_credential,
    get_credential,
    list_credentials,
    note,
    page_of_credentials,
    remove_credential,
)
from gateway.store.identity_tables import audit_log, credentials
from gateway.store.tenants import create_tenant
from gateway.types import CredentialKind
from gateway.vault import CannotOpen, Vault
from gateway.vault.credentials import NewCredential, add, check, place_of, replace, require

from .conftest import ANN, SECRET, of_key


async def stored(
    database: Database, vault: Vault, *, tenant: str = OPERATOR, **values: Any
) -> StoredCredential:
    fields: dict[str, Any] = {"tenant": tenant, "provider": "openai", "name": "main", "given": of_key(SECRET)}
    return await add(database, vault, NewCredential(**{**fields, **values}), actor=ANN)


@pytest.fixture
async def acme(database: Database) -> str:
    await create_tenant(database, "acme", actor=ANN)
    return "acme"


class Service:
    """A provider that takes one secret."""

    name = "openai"
    takes_vault = True
    has_credentials = False
    credential_kinds: Sequence[CredentialKind] = ServiceConfig.credential_kinds()

    def use_credentials(self, held: Any, report: Any) -> None:
        raise NotImplementedError

    def credential_hint(self, kind: str, fields: Mapping[str, str]) -> str:
        return fields[kind]

    async def try_credential(self, kind: str, fields: Mapping[str, str]) -> bool:
        if fields[kind] != SECRET:
            raise ProviderError("No such key.", provider=self.name, status=401)
        return True


async def test_a_secret_is_sealed_and_opens_again(database: Database, vault: Vault):
    row = await stored(database, vault)
    assert row.hint == "sk-…ghij"
    assert row.state == "untried"
    assert row.master_key == vault.key_ids[0]
    assert SECRET.encode() not in row.sealed
    assert vault.open(row.sealed, place_of(row)) == SECRET
    assert await get_credential(database, row.id, tenant=OPERATOR) == row


async def test_without_a_master_key_nothing_is_stored(database: Database):
    with pytest.raises(InvalidRequest, match="no master key"):
        await stored(database, Vault())
    assert await list_credentials(database, tenant=OPERATOR) == []


async def test_what_cannot_be_is_refused(database: Database, vault: Vault):
    bad: dict[str, tuple[Any, ...]] = {
        "name": (" ", "x" * 201),
        "weight": (0, 101),
    }
    for param, values in bad.items():
        for value in values:
            with pytest.raises(InvalidRequest, match=param):
                await stored(database, vault, **{param: value})
    assert await list_credentials(database, tenant=OPERATOR) == []


async def test_a_tenant_finds_only_its_own(database: Database, vault: Vault, acme: str):
    operators = await stored(database, vault)
    own = await stored(database, vault, tenant=acme)
    assert await list_credentials(database, tenant=acme) == [own]
    assert await list_credentials(database, tenant=OPERATOR) == [operators]
    for row, other in ((operators, acme), (own, OPERATOR)):
        for attempt in (
            get_credential(database, row.id, tenant=other),
            change_credential(database, row.id, tenant=other, actor=ANN, enabled=False),
            remove_credential(database, row.id, tenant=other, actor=ANN),
        ):
            with pytest.raises(InvalidRequest) as refused:
                await attempt
            assert refused.value.status == 404
    assert await get_credential(database, own.id, tenant=acme) == own


async def test_an_envelope_moved_to_another_row_does_not_open(database: Database, vault: Vault, acme: str):
    own, operators = await stored(database, vault, tenant=acme), await stored(database, vault)
    async with database.begin() as connection:
        statement = update(credentials).where(credentials.c.id == own.id).values(sealed=operators.sealed)
        await connection.execute(statement)
    moved = await get_credential(database, own.id, tenant=acme)
    with pytest.raises(CannotOpen):
        vault.open(moved.sealed, place_of(moved))


async def test_a_tenant_may_have_only_so_many(database: Database, vault: Vault, acme: str):
    for _ in range(MOST_OF_A_TENANT):
        await stored(database, vault, tenant=acme)
    with pytest.raises(InvalidRequest) as refused:
        await stored(database, vault, tenant=acme)
    assert refused.value.status == 409
    await stored(database, vault, tenant=acme, provider="cohere")


async def test_pages_leave_nothing_out(database: Database, vault: Vault):
    rows = [await stored(database, vault, provider=name) for name in ("openai", "cohere", "openai")]
    found: list[StoredCredential] = []
    after = None
    while one := await page_of_credentials(database, tenant="", provider=None, after=after, limit=1):
        found += one
        after = (one[0].created_at, one[0].id)
    assert found == rows
    cohere = await page_of_credentials(database, tenant="", provider="cohere", after=None, limit=9)
    assert cohere == [rows[1]]


async def test_filters_say_of_each_what_it_says_of_itself(database: Database, vault: Vault):
    rows = [await stored(database, vault, name=f"c{number}") for number in range(8)]
    notes: list[tuple[int, float, str | None]] = [
        *((1, 10.0, None), (2, 10.0, "no"), (3, 10.0, None), (3, 20.0, "no"), (4, 10.0, "no")),
        *((4, 20.0, None), (5, 10.0, "no"), (6, 10.0, None)),
    ]
    for number, at, error in notes:
        await note(database, [Note(tenant="", id=rows[number].id, at=at, error=error)])
    for number in (5, 6, 7):
        await change_credential(database, rows[number].id, tenant="", enabled=False, actor=ANN)
    now = await list_credentials(database, tenant="")
    assert [row.state for row in now] == [
        *("untried", "working", "failing", "failing", "working", "disabled", "disabled", "disabled"),
    ]

    async def found(**which: Any) -> list[StoredCredential]:
        return await page_of_credentials(database, tenant="", after=None, limit=9, **which)

    for states in (("untried",), ("working",), ("failing",), ("disabled",), ("failing", "disabled")):
        assert await found(states=states) == [row for row in now if row.state in states]
    assert await found(kind="api_key") == now
    assert await found(kind="aws") == []
    assert await found(states=("failing",), provider="cohere") == []


async def test_changes_count_up_and_must_know_what_they_change(database: Database, vault: Vault):
    row = await stored(database, vault)
    changed = await change_credential(
        database, row.id, tenant="", actor=ANN, weight=5, expected={row.revision}
    )
    assert (changed.weight, changed.revision) == (5, row.revision + 1)
    with pytest.raises(InvalidRequest) as refused:
        await replace(database, vault, row, of_key("sk-other"), actor=ANN, expected={row.revision})
    assert refused.value.status == 412
    new = await replace(database, vault, changed, of_key("sk-other"), actor=ANN, expected={changed.revision})
    assert vault.open(new.sealed, place_of(new)) == "sk-other"


async def test_the_audit_log_tells_everything_but_the_secret(database: Database, vault: Vault):
    row = await stored(database, vault)
    await replace(database, vault, row, of_key("sk-other-0123456789-abcdef"), actor=ANN)
    await remove_credential(database, row.id, tenant="", actor=ANN)
    async with database.connect() as connection:
        entries = (await connection.execute(select(audit_log).order_by(audit_log.c.position))).all()
    assert [entry.action for entry in entries] == [
        "credential.add",
        "credential.replace",
        "credential.remove",
    ]
    assert entries[1].before["hint"] == "sk-…ghij"
    assert entries[1].after["hint"] == "sk-…cdef"
    assert "0123456789" not in str([entry._mapping for entry in entries])


async def test_what_the_provider_said_is_kept(database: Database, vault: Vault):
    with pytest.raises(InvalidRequest, match="401: No such key"):
        await require(Service(), of_key("sk-wrong"))
    row = await add(
        database,
        vault,
        NewCredential(tenant="", provider="openai", name="main", given=of_key(SECRET)),
        actor=ANN,
        tried=await require(Service(), of_key(SECRET)),
    )
    assert row.state == "working"
    wrong = await replace(database, vault, row, of_key("sk-wrong"), actor=ANN)
    assert wrong.state == "untried"
    assert not (await check(database, vault, wrong, Service())).ok
    found = await get_credential(database, row.id, tenant="")
    assert (found.state, found.last_error) == ("failing", "401: No such key.")
    assert found.revision > wrong.revision, "who holds an ETag sees another state"
    await check(database, vault, found, Service())
    assert (await get_credential(database, row.id, tenant="")).revision == found.revision


async def test_notes_pass_over_what_is_gone(database: Database, vault: Vault):
    row = await stored(database, vault)
    at = row.created_at + 1
    await note(
        database,
        [
            Note(tenant="", id="crd_gone", at=at, error="x"),
            Note(tenant="", id=row.id, at=at, error=None),
        ],
    )
    assert (await get_credential(database, row.id, tenant="")).state == "working"
