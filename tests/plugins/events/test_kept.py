"""Sinks that keep events themselves: files and tables."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.engine import Connection

from gateway.store import Database
from gateway.store.migrate import upgrade
from gateway_events.file import File, append
from gateway_events.plugin import EventSink
from gateway_events.table import MIGRATIONS, Table
from gateway_events.tables import metadata, usage_events

MakeSink = Callable[..., EventSink[Any]]
MakeRecords = Callable[..., list[dict[str, Any]]]


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text("utf-8").splitlines()]


def numbered(path: Path) -> Sequence[Path]:
    return sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))


async def test_a_line_torn_by_a_crash_goes_and_its_event_comes_again(
    make_sink: MakeSink, make_records: MakeRecords, tmp_path: Path
):
    path = tmp_path / "usage" / "events.jsonl"
    sink = make_sink(File, path=path)
    records = make_records(4)
    await sink.deliver(records[:2])
    with path.open("ab") as file:
        file.write(path.read_bytes()[:200])
    await sink.deliver(records[2:])
    assert ids(path) == [record["id"] for record in records]


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=50), st.lists(st.sampled_from([b"{}", b'{"a":1}']), max_size=3))
def test_whatever_stands_behind_the_last_line_is_removed(torn: bytes, lines: list[bytes]):
    torn = torn.replace(b"\n", b" ")
    whole = b"".join(line + b"\n" for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        path.write_bytes(whole + torn)
        append(path, b"{}\n", 10_000)
        assert path.read_bytes() == whole + b"{}\n"


async def test_a_full_file_is_renamed_and_nothing_lost(
    make_sink: MakeSink, make_records: MakeRecords, tmp_path: Path
):
    path = tmp_path / "events.jsonl"
    sink = make_sink(File, path=path, max_megabytes=0.002)
    records = make_records(8)
    for record in records:
        await sink.deliver([record])
    files = [*numbered(path), path]
    assert len(files) > 2
    assert all(file.stat().st_size <= 2000 for file in files)
    assert sorted(call for file in files for call in ids(file)) == [record["id"] for record in records]


async def test_a_new_day_begins_a_new_file(make_sink: MakeSink, make_records: MakeRecords, tmp_path: Path):
    path = tmp_path / "events.jsonl"
    sink = make_sink(File, path=path)
    first, second = make_records(2)
    await sink.deliver([first])
    yesterday = time.time() - 86_400
    os.utime(path, (yesterday, yesterday))
    await sink.deliver([second])
    (old,) = numbered(path)
    assert (ids(old), ids(path)) == ([first["id"]], [second["id"]])


async def test_another_database_gets_the_table_and_each_call_once(
    make_sink: MakeSink, make_records: MakeRecords, tmp_path: Path
):
    url = f"sqlite:///{tmp_path / 'other.db'}"
    records = make_records(3, user="ann")
    for _ in range(2):
        sink = make_sink(Table, url=url)
        assert list(sink.register_migrations()) == []  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
        await sink.deliver(records[:2])
        await sink.deliver(records)
    database = Database(url)
    async with database.connect() as connection:
        rows = (await connection.execute(select(usage_events).order_by(usage_events.c.id))).all()
    await database.close()
    assert [row.id for row in rows] == [record["id"] for record in records]
    assert (rows[0].user, rows[0].charge_nano, rows[0].event["data"]["usage"]["prompt_tokens"]) == (
        "ann",
        2,
        3,
    )


async def test_the_migration_makes_the_table(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    await upgrade(database, [MIGRATIONS])

    def ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
        return kind != "table" or name in metadata.tables

    def differences(connection: Connection) -> list[Any]:
        options: dict[str, Any] = {"compare_type": True, "include_object": ours}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with database.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()
