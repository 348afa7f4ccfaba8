"""Batches that a dead process has left behind, in every state that one can be in."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from gateway.batches.files import write_output
from gateway.batches.line import answered
from gateway.batches.run import MOST_TRIES
from gateway.store import Database
from gateway.store.batch_runs import Line, put_lines
from gateway.store.batches import StoredBatch, add_batch
from gateway.store.files import StoredFile, write_file
from gateway.store.stored_tables import batch_lines, file_chunks
from gateway.store.tables import model_calls
from gateway.types import Principal

from .conftest import Serve, ended, file_of, lines_of, request

PRINCIPAL = Principal(tenant="default", authenticator="none")
BODY = msgspec.json.encode({"model": "mock/echo", "messages": [{"role": "user", "content": "Hello"}]})


async def left_behind(database: Database, *lines: str, **changes: Any) -> StoredBatch:
    """Store a batch of a worker that is no more, with lines of these names, all waiting."""
    now = time.time()
    values: dict[str, Any] = {"status": "in_progress", "total": len(lines), "expires_at": now + 60, **changes}
    batch = StoredBatch(
        tenant="default",
        id="batch_left",
        principal=msgspec.json.encode(PRINCIPAL),
        endpoint="/v1/chat/completions",
        input_file="file-gone",
        worker="dead",
        created_at=now - 60,
        **values,
    )
    await add_batch(database, batch)
    if lines:
        found = [Line(number, name, BODY) for number, name in enumerate(lines, 1)]
        await put_lines(database, batch, found)
    return batch


async def change_line(database: Database, name: str, **values: Any) -> None:
    async with database.begin() as connection:
        await connection.execute(batch_lines.update().where(batch_lines.c.custom_id == name).values(**values))


async def settled(database: Database, call: str, status: str) -> None:
    """Put a call into the ledger."""
    async with database.begin() as connection:
        await connection.execute(
            model_calls.insert().values(
                id=call,
                request_id="req_1",
                tenant="default",
                capability="chat",
                dialect="openai.chat",
                model="mock/echo",
                stream=False,
                worker="dead",
                received_at=time.time() - 30,
                status=status,
                prompt_tokens=3,
                completion_tokens=4,
            )
        )


async def test_each_line_is_taken_up_where_it_was(serve: Serve, database: Database) -> None:
    await left_behind(database, "done", "waiting", "unheard", "abandoned", "paid", "cursed", completed=1)
    kept = msgspec.json.encode({"kept": True})
    line = Line(1, "done", BODY)
    await settled(database, "call_done", "success")
    await change_line(
        database, "done", state="completed", call="call_done", result=answered(line, "req_1", 200, kept)
    )
    await change_line(database, "unheard", state="running", call="call_none")
    for name, status in {"abandoned": "failed", "paid": "success", "cursed": "failed"}.items():
        await settled(database, f"call_{name}", status)
        await change_line(database, name, state="running", call=f"call_{name}")
    await change_line(database, "cursed", tries=MOST_TRIES - 1)
    async with serve() as sdk:
        found = await ended(sdk, "batch_left")
        assert found.status == "completed"
        assert found.request_counts
        assert found.request_counts.to_dict() == {"total": 6, "completed": 4, "failed": 2}
        results = {line["custom_id"]: line for line in await lines_of(sdk, found.output_file_id)}
        assert list(results) == ["done", "waiting", "unheard", "abandoned"]
        assert results["done"]["response"]["body"] == {"kept": True}
        errors = {
            line["custom_id"]: line["error"]["code"] for line in await lines_of(sdk, found.error_file_id)
        }
        assert errors == {"paid": "result_lost", "cursed": "abandoned"}
    async with database.connect() as connection:
        calls = (await connection.execute(model_calls.select())).all()
        lines = (await connection.execute(batch_lines.select())).all()
    asked = sorted(row.client_request_id for row in calls if row.client_request_id)
    assert asked == ["batch_left/abandoned", "batch_left/unheard", "batch_left/waiting"]
    assert {(row.request, row.result) for row in lines} == {(None, None)}


async def test_what_is_too_late_expires(serve: Serve, database: Database) -> None:
    await left_behind(database, "a", "b", expires_at=time.time() - 1)
    async with serve() as sdk:
        found = await ended(sdk, "batch_left")
        assert found.status == "expired"
        assert found.expired_at
        assert found.output_file_id is None
        errors = [line["error"]["code"] for line in await lines_of(sdk, found.error_file_id)]
        assert errors == ["batch_expired", "batch_expired"]
    async with database.connect() as connection:
        assert (await connection.execute(model_calls.select())).all() == []


async def test_a_batch_that_was_being_cancelled_is_cancelled(serve: Serve, database: Database) -> None:
    await left_behind(database, "a", status="cancelling", cancelling_at=time.time())
    async with serve() as sdk:
        found = await ended(sdk, "batch_left")
        assert found.status == "cancelled"
        errors = [line["error"]["code"] for line in await lines_of(sdk, found.error_file_id)]
        assert errors == ["batch_cancelled"]


async def test_files_that_were_being_written_are_written_anew(serve: Serve, database: Database) -> None:
    batch = await left_behind(database, "a", status="finalizing", ends_as="completed", completed=1)
    result = answered(Line(1, "a", BODY), "req_1", 200, b'{"first": true}')
    await change_line(database, "a", state="completed", result=result)
    await write_output(database, batch)
    again = answered(Line(1, "a", BODY), "req_1", 200, b'{"second": true}')
    await change_line(database, "a", result=again)
    async with serve() as sdk:
        found = await ended(sdk, "batch_left")
        (line,) = await lines_of(sdk, found.output_file_id)
        assert line["response"]["body"] == {"second": True}
    async with database.connect() as connection:
        assert len((await connection.execute(file_chunks.select())).all()) == 1


async def test_a_file_is_read_from_the_beginning(serve: Serve, database: Database) -> None:
    async def content() -> AsyncGenerator[bytes]:
        yield file_of(request("a", "one"), request("b", "two"))

    file = StoredFile(
        tenant="default",
        id="file-gone",
        key=None,
        name="i.jsonl",
        purpose="batch",
        created_at=time.time(),
        expires_at=None,
    )
    await write_file(database, file, content())
    await left_behind(database, "half", "read", status="validating", total=0)
    async with serve() as sdk:
        found = await ended(sdk, "batch_left")
        assert found.request_counts
        assert found.request_counts.total == 2
        assert [line["custom_id"] for line in await lines_of(sdk, found.output_file_id)] == ["a", "b"]


async def test_without_its_file_a_batch_fails(serve: Serve, database: Database) -> None:
    await left_behind(database, status="validating")
    async with serve() as sdk:
        found = await ended(sdk, "batch_left")
        assert found.status == "failed"
        assert found.errors
        assert [error.code for error in found.errors.data or []] == ["file_not_found"]


@pytest.mark.parametrize("body", [b"no json", b'{"a":', b'"\xff"', b"[" * 5000])
def test_a_line_holds_nothing_but_json(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        answered(Line(1, "a", BODY), "req_1", 200, body)


def test_a_result_is_one_line() -> None:
    written = answered(Line(1, "a\n\u2028b", BODY), "req_1", 200, b'{\n "a": 1.10,\r\n "b": "\\n"\n}')
    assert b"\n" not in written
    assert b"\r" not in written
    assert b'"body":{"a":1.10,"b":"\\n"}' in written
    assert json.loads(written)["custom_id"] == "a\n\u2028b"
