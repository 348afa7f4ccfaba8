"""The files that a batch leaves: one of answers, one of errors."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Final

from gateway.batches.line import unanswered
from gateway.store import Database
from gateway.store.batch_runs import results
from gateway.store.batches import StoredBatch
from gateway.store.files import StoredFile, write_file

KEPT_SECONDS: Final = 30 * 86_400.0
"""How long files of batches are kept, unless the client says otherwise; as OpenAI keeps them."""

_PAGE: Final = 100
_REASONS: Final = {
    "cancelled": ("batch_cancelled", "The batch was cancelled before this request could be made."),
    "expired": ("batch_expired", "The batch expired before this request could be made."),
    "failed": ("batch_failed", "The batch was stopped before this request could be made: see its 'errors'."),
    "completed": ("internal_error", "The gateway failed to process this request."),
}


async def write_output(database: Database, batch: StoredBatch) -> str | None:
    """Write the file of all answers, in the order of the requests; return its id, None when there are none."""
    return await _write(database, batch, "output", _results(database, batch, ("completed",), ""))


async def write_errors(database: Database, batch: StoredBatch, ends_as: str) -> str | None:
    """Write the file of all errors, requests that were never made among them; return its id, None when there are none."""
    states = ("failed", "waiting", "running")
    return await _write(database, batch, "error", _results(database, batch, states, ends_as))


async def _write(
    database: Database, batch: StoredBatch, kind: str, content: AsyncGenerator[bytes]
) -> str | None:
    first = await anext(content, None)
    if first is None:
        return None
    now = time.time()
    # The same id however often it is written: what a process that died has begun is replaced.
    row = StoredFile(
        tenant=batch.tenant,
        id=f"file-{batch.id.removeprefix('batch_')}-{kind}",
        key=None,
        name=f"{batch.id}_{kind}.jsonl",
        purpose="batch_output",
        created_at=now,
        expires_at=now + (batch.output_seconds or KEPT_SECONDS),
    )
    await write_file(database, row, _chained(first, content))
    return row.id


async def _chained(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _results(
    database: Database, batch: StoredBatch, states: tuple[str, ...], ends_as: str
) -> AsyncGenerator[bytes]:
    after = 0
    while page := await results(database, batch, *states, after=after, limit=_PAGE):
        for number, custom_id, result in page:
            after = number
            yield (result or unanswered(custom_id, *_REASONS[ends_as])) + b"\n"
