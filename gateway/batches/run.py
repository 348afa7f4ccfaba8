"""The life of one batch: its file is read, its lines are carried out, its results are written.

    validating → in_progress → finalizing → completed | expired | failed,  or  → cancelling → cancelled

Each step is told to the database when it is done, so whoever takes the batch on begins with the step it was in.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

import msgspec

from gateway.batches.carry_out import CarryOut
from gateway.batches.files import write_errors, write_output
from gateway.batches.input import InputReader, Problem
from gateway.batches.line import unanswered
from gateway.batches.means import Means
from gateway.batches.usage import usage_object
from gateway.errors import PermissionDenied, Unavailable
from gateway.identity.keys import check_reach
from gateway.identity.standing import as_it_stands
from gateway.ledger.rows import clean
from gateway.store.batch_runs import (
    NotOurs,
    change_batch,
    drop_lines,
    end_batch,
    left_lines,
    line_ended,
    put_back,
    put_lines,
    tally,
)
from gateway.store.batches import StoredBatch, get_batch
from gateway.store.files import get_file, read_file
from gateway.types import Principal

log = logging.getLogger("gateway.batches")

PAUSE_SECONDS: Final = 1.0
MOST_TRIES: Final = 5
"""How many processes may die while they run a line, before it is taken for the reason."""

_LOST = "This request was answered, but the gateway process ended before the answer was stored."
_ABANDONED = "The gateway process ended each of the %d times that this request was made."
_decode_principal = msgspec.json.Decoder(Principal).decode


class Run:
    """One batch in this process."""

    def __init__(self, means: Means, batch: StoredBatch) -> None:
        self._means = means
        self._batch = batch
        self._principal = _decode_principal(batch.principal)
        self._lines: CarryOut | None = None
        self._key_problem: str | None = None
        self._draining = False

    def drain(self) -> None:
        """Make no more calls; the batch is for another process to go on with."""
        self._draining = True
        self.look()

    def look(self) -> None:
        """Make no more calls: the batch was cancelled, has expired, or is another's."""
        if self._lines is not None:
            self._lines.stop()

    async def check(self) -> None:
        """Stop when the time is over, or when the key or its tenant may not call any more. Raises `Unavailable`."""
        if time.time() >= self._batch.expires_at:
            self.look()
        try:
            self._principal, _ = await as_it_stands(
                self._means.database,
                self._means.tenants,
                self._principal,
                key="The API key that created the batch",
            )
            check_reach(self._principal, self._batch.endpoint)
        except PermissionDenied as refused:
            self._key_problem = refused.message
            self.look()
        if self._lines is not None:
            self._lines.principal = self._principal

    async def run(self) -> None:
        """Run the batch to its end, or until it is not this process's any more."""
        while True:
            try:
                if not await self._step():
                    return
            except (Unavailable, NotOurs):
                # The journal says when the database is away, the next look whose it is.
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                log.exception("%s: a step has failed, trying again", self._batch.id)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _step(self) -> bool:
        """Do what comes next; whether something comes after that."""
        before = self._batch
        fresh = await get_batch(self._means.database, before.tenant, before.id)
        if self._draining or fresh is None or fresh.worker != before.worker or fresh.ended_at is not None:
            return False
        self._batch = fresh
        await self.check()
        match fresh.status:
            case "validating":
                await self._validate()
            case "in_progress":
                await self._carry_out()
            case "cancelling":
                await self._end("cancelled")
            case _:
                await self._end(fresh.ends_as or "failed")
        return True

    async def _validate(self) -> None:
        batch, database = self._batch, self._means.database
        await drop_lines(database, batch)
        reader = InputReader(batch.endpoint, max_line=self._means.max_body)
        file = await get_file(database, batch.tenant, batch.input_file)
        if file is None:
            told = f"The input file '{batch.input_file}' was deleted before it was read."
            reader.problems.append(Problem(code="file_not_found", message=told, param="input_file_id"))
        else:
            async for chunk in read_file(database, file):
                if lines := reader.feed(chunk):
                    await put_lines(database, batch, lines)
                if reader.gave_up:
                    break
            if lines := reader.end():
                await put_lines(database, batch, lines)
        if reader.problems:
            await drop_lines(database, batch)
            errors = msgspec.json.encode(reader.problems)
            await end_batch(database, batch, status="failed", errors=errors)
            return
        values: dict[str, Any] = {"total": reader.count, "model": clean(reader.model, 200)}
        await change_batch(
            database, batch, "validating", status="in_progress", in_progress_at=time.time(), **values
        )

    async def _carry_out(self) -> None:
        batch, database = self._batch, self._means.database
        if not await self._settle_left():
            await asyncio.sleep(PAUSE_SECONDS)
            return
        self._lines = CarryOut(self._means, batch, self._principal)
        if not (self._draining or self._key_problem or time.time() >= batch.expires_at):
            await self._lines.run()
        was_stopped, self._lines = self._lines.stopped, None
        if self._draining:
            return
        ends_as, errors = "completed", None
        if self._key_problem:
            ends_as = "failed"
            problem = Problem(code="invalid_api_key", message=self._key_problem)
            errors = msgspec.json.encode([problem])
        elif time.time() >= batch.expires_at:
            ends_as = "expired"
        elif was_stopped:
            return  # cancelled, or another's: the next look tells
        values: dict[str, Any] = {"status": "finalizing", "ends_as": ends_as, "errors": errors}
        await change_batch(database, batch, "in_progress", finalizing_at=time.time(), **values)

    async def _settle_left(self) -> bool:
        """Look after lines that a dead process has left; whether the ledger knows what became of all their calls."""
        batch, database = self._batch, self._means.database
        known = True
        for left in await left_lines(database, batch):
            line, tries = left.line, left.line.tries + 1
            if left.call_status == "processing":
                known = False
            elif left.call_status == "success":  # it is paid for, so it is not made again
                result = unanswered(line.custom_id, "result_lost", _LOST)
                await self._means.ledger.write(line_ended(batch, line, "failed", result))
            elif tries >= MOST_TRIES:
                result = unanswered(line.custom_id, "abandoned", _ABANDONED % tries)
                await self._means.ledger.write(line_ended(batch, line, "failed", result))
            else:
                await put_back(database, batch, line, tries=tries)
        return known

    async def _end(self, ends_as: str) -> None:
        batch, database = self._batch, self._means.database
        used = await tally(database, batch)
        await end_batch(
            database,
            batch,
            status=ends_as,
            output_file=await write_output(database, batch),
            error_file=await write_errors(database, batch, ends_as),
            usage=msgspec.json.encode(usage_object(used)),
        )
