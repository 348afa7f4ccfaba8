"""Checkpoints: the write-ahead log stays short beside a writer that never rests, and trouble is told."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store import Database, Insert, Write
from gateway.store import checkpoints as module
from gateway.store.checkpoints import Checkpoints
from gateway.store.database import prepare_sqlite
from gateway.store.journal import Journal
from gateway.store.tables import outbox

SEND = Insert(outbox, "sink", "call")
LONG = "x" * 4000


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not met():
        assert time.monotonic() < end
        time.sleep(0.01)


async def test_the_log_stays_short_beside_a_writer_that_never_rests(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MOST_PAGES", 100)
    log = Path(f"{sqlite.path}-wal")
    journal = Journal(sqlite)
    await journal.start()
    written = longest = 0
    end = time.monotonic() + 60
    while written <= 3 * longest:  # it was begun anew, and then again
        assert time.monotonic() < end, f"the log is {longest} bytes long after {written} were written"
        await asyncio.gather(*(journal.submit((Write(SEND, (LONG, "call")),)) for _ in range(20)))
        written += 20 * len(LONG)
        longest = max(longest, log.stat().st_size)
    await journal.stop(5)
    async with sqlite.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT count(*) FROM outbox")).scalar_one()
    assert rows * len(LONG) == written


def test_what_was_written_reaches_the_database_itself_and_trouble_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "folder" / "gateway.db"
    checkpoints = Checkpoints(Database(f"sqlite:///{path}"))
    try:
        with caplog.at_level(logging.WARNING, "gateway.journal"):
            checkpoints.written()
            until(lambda: "the write-ahead log grows" in caplog.text)
        path.parent.mkdir()
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            prepare_sqlite(connection, "normal")
            connection.execute("CREATE TABLE rows AS SELECT 'here' AS text")
            checkpoints.written()
            until(lambda: b"here" in path.read_bytes())
    finally:
        checkpoints.stop()
