"""Stored responses: found by their tenant only, in chains, until they expire."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

import msgspec
import pytest

from gateway.store import Database, Unit
from gateway.store.journal import Journal
from gateway.store.responses import (
    NoLongerRuns,
    StoredResponse,
    added,
    begun,
    cancel_response,
    delete_expired,
    delete_response,
    events_added,
    finished,
    get_chain,
    get_events,
    get_response,
    orphans,
    running_calls,
)

TENANT = "acme"


@pytest.fixture
async def journal(database: Database) -> AsyncGenerator[Journal]:
    journal = Journal(database)
    await journal.start()
    yield journal
    await journal.stop(5)


def row(id: str, **changes: object) -> StoredResponse:
    now = time.time()
    made = StoredResponse(
        tenant=TENANT,
        id=id,
        key="key_1",
        model="m",
        status="completed",
        previous=None,
        call=f"call_{id}",
        created_at=now,
        expires_at=now + 60,
        input=b"[]",
        response=b'{"id":"x\\u0000"}',
    )
    return msgspec.structs.replace(made, **changes)


async def write(journal: Journal, *unit: Unit) -> None:
    for one in unit:
        await journal.submit(one)


async def test_it_comes_back_to_its_tenant_only(database: Database, journal: Journal) -> None:
    await write(journal, (added(row("a")),))
    found = await get_response(database, TENANT, "a")
    assert found is not None
    assert msgspec.structs.replace(found, created_at=0, expires_at=0) == row("a", created_at=0, expires_at=0)
    assert await get_response(database, "other", "a") is None
    assert await get_chain(database, "other", "a") == []
    assert not await delete_response(database, "other", "a")
    assert not await cancel_response(database, "other", "a")
    assert await get_response(database, TENANT, "a")


async def test_two_tenants_may_have_the_same_id(database: Database, journal: Journal) -> None:
    await write(journal, (added(row("a")),), (added(row("a", tenant="other", model="n")),))
    found = await get_response(database, "other", "a")
    assert found
    assert found.model == "n"


async def test_a_chain_ends_where_a_link_is_missing(database: Database, journal: Journal) -> None:
    links = [row("a"), row("b", previous="a"), row("c", previous="b"), row("d", previous="c")]
    await write(journal, *((added(link),) for link in links))
    assert [link.id for link in await get_chain(database, TENANT, "d")] == ["a", "b", "c", "d"]
    assert [link.id for link in await get_chain(database, TENANT, "b")] == ["a", "b"]
    assert await delete_response(database, TENANT, "b")
    assert await get_chain(database, TENANT, "d") == []
    assert [link.id for link in await get_chain(database, TENANT, "a")] == ["a"]


async def test_a_chain_that_bites_its_tail_ends(database: Database, journal: Journal) -> None:
    await write(journal, (added(row("a", previous="a")),))
    assert await get_chain(database, TENANT, "a") == []


async def test_it_runs_until_it_is_finished_or_taken_away(database: Database, journal: Journal) -> None:
    runs = row("a", status="queued", worker="w")
    stopped = row("b", status="queued", worker="w")
    await write(journal, (added(runs),), (added(stopped),), (begun(runs),))
    assert await running_calls(database, "w") == {"call_a", "call_b"}
    found = await get_response(database, TENANT, "a")
    assert found
    assert found.status == "in_progress"
    assert await cancel_response(database, TENANT, "b")
    for late in (begun(stopped), finished(stopped, "completed", b"{}")):
        with pytest.raises(NoLongerRuns):
            await write(journal, (late,))
    await write(journal, (finished(runs, "completed", b'{"id":"a"}'), events_added(runs, 0, b"last")))
    found = await get_response(database, TENANT, "a")
    assert found
    assert (found.status, found.response, found.worker) == ("completed", b'{"id":"a"}', None)
    assert not await cancel_response(database, TENANT, "a")
    assert await running_calls(database, "w") == set()
    with pytest.raises(NoLongerRuns):
        await write(journal, (finished(runs, "failed", b"{}"),))


async def test_events_come_in_their_order(database: Database, journal: Journal) -> None:
    one = row("a", worker="w")
    await write(journal, (added(one),), *((events_added(one, n, b"%d" % n),) for n in (2, 0, 1)))
    assert await get_events(database, TENANT, "a", start=0) == [b"0", b"1", b"2"]
    assert await get_events(database, TENANT, "a", start=2) == [b"2"]
    assert await get_events(database, "other", "a", start=0) == []
    await delete_response(database, TENANT, "a")
    assert await get_events(database, TENANT, "a", start=0) == []


async def test_what_has_expired_is_not_found_and_then_deleted(database: Database, journal: Journal) -> None:
    old = row("old", expires_at=time.time() - 1)
    new = row("new", previous="old")
    await write(journal, (added(old), added(new), events_added(old, 0, b"x"), events_added(new, 0, b"y")))
    assert await get_response(database, TENANT, "old") is None
    assert await get_chain(database, TENANT, "new") == []
    assert await delete_expired(database) == 1
    assert await delete_expired(database) == 0
    assert await get_events(database, TENANT, "old", start=0) == []
    assert await get_events(database, TENANT, "new", start=0) == [b"y"]


async def test_orphans_are_those_whose_worker_is_unknown(database: Database, journal: Journal) -> None:
    await write(journal, (added(row("a", worker="dead")),), (added(row("b")),))
    assert [one.id for one in await orphans(database)] == ["a"]
    assert [one.id for one in await orphans(database, ["call_b"])] == ["a"]
