from __future__ import annotations

import time

from msgspec.structs import replace

from gateway.store import Database
from gateway.store.jobs import (
    StoredJob,
    added,
    delete_expired_jobs,
    delete_job,
    get_job,
    list_jobs,
    note_shown,
)
from gateway.store.journal import Journal

NOW = time.time()
JOB = StoredJob(
    tenant="one",
    id="video_1",
    key="key_1",
    kind="video",
    model="films/x",
    provider="films",
    upstream_id="u1",
    upstream_model="x",
    credential="0123456789abcdef",
    call="call_1",
    created_at=NOW,
    expires_at=NOW + 3600,
    shown=b"{}",
)


async def store(database: Database, *rows: StoredJob) -> None:
    journal = Journal(database)
    await journal.start()
    for row in rows:
        await journal.submit((added(row),))
    await journal.stop(5)


async def test_a_job_is_its_tenants_alone(database: Database) -> None:
    await store(database, JOB, replace(JOB, tenant="two", upstream_id="u2"))
    assert await get_job(database, "one", "video_1") == JOB
    assert await get_job(database, "three", "video_1") is None
    await note_shown(database, JOB, b'{"a":1}')
    await delete_job(database, "three", "video_1")
    mine = await get_job(database, "one", "video_1")
    theirs = await get_job(database, "two", "video_1")
    assert mine is not None
    assert theirs is not None
    assert (mine.shown, theirs.shown) == (b'{"a":1}', b"{}")
    await delete_job(database, "one", "video_1")
    assert await get_job(database, "one", "video_1") is None
    assert await get_job(database, "two", "video_1") is not None


async def test_pages_in_both_orders_also_where_times_are_equal(database: Database) -> None:
    rows = [replace(JOB, id=f"video_{n}", created_at=NOW + n // 2) for n in range(5)]
    await store(database, *rows, replace(JOB, tenant="two"), replace(JOB, id="other", kind="other"))
    for newest_first in (True, False):
        ordered = rows[::-1] if newest_first else rows
        seen: list[StoredJob] = []
        while page := await list_jobs(
            database,
            "one",
            "video",
            after=seen[-1] if seen else None,
            limit=2,
            newest_first=newest_first,
        ):
            seen += page
        assert seen == ordered


async def test_what_is_past_its_time_is_not_there(database: Database) -> None:
    old = replace(JOB, id="old", expires_at=NOW - 1)
    await store(database, JOB, old)
    assert await get_job(database, "one", "old") is None
    assert await list_jobs(database, "one", "video", after=None, limit=9, newest_first=True) == [JOB]
    assert await delete_expired_jobs(database) == 1
    assert await get_job(database, "one", "video_1") == JOB
