"""Responses in the background: the client has its answer already, and fetches what becomes of it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from gateway.api.responses.events import TERMINAL, Corrections, events_in, id_and_status
from gateway.api.responses.keeper import Keeper, failed_object
from gateway.errors import GatewayError, Unavailable
from gateway.inflight import InFlight
from gateway.pipeline import Pipeline
from gateway.store import Write
from gateway.store.responses import (
    NoLongerRuns,
    StoredResponse,
    added,
    begun,
    events_added,
    finished,
    running_calls,
)
from gateway.types import Answer, Call
from gateway.wire import sse
from gateway.wire.openai_responses import error_of

log = logging.getLogger("gateway.responses")

PATROL_SECONDS = 1.0


class BackgroundReply:
    """Writes down what a client in the foreground would be sent."""

    def __init__(self, keeper: Keeper, row: StoredResponse, corrections: Corrections) -> None:
        self._keeper = keeper
        self._row = row
        self._corrections = corrections
        self._response = row.response
        self._position = 0
        self._number = -1
        self._ended = False
        self.started = False

    async def whole(self, answer: Answer) -> None:
        """Store the answer."""
        response = self._corrections.of(answer.body)
        await self._end(id_and_status(response)[1], response)

    async def begin(self, answer: Answer) -> None:  # noqa: ARG002 - its headers are for a client
        """Note that the stream has begun."""
        self.started = True

    async def write(self, data: bytes) -> None:
        """Store whole events, and with the last one the response."""
        events = [self._corrections.event(seen) for seen in events_in(data)]
        kept = b"".join(seen.data for seen in events if seen.type)
        last: bytes | None = None
        for seen in events:
            self._number = max(self._number, seen.number)
            if seen.response is not None:
                self._response = seen.response
                last = seen.response if seen.type in TERMINAL else last
        if last is not None:
            await self._end(id_and_status(last)[1], last, kept)
        elif kept:
            await self._keeper.write((self._events(kept),))

    async def end(self) -> None:
        """Nothing is left to be done: the last event has ended it."""

    async def fail(self, error: GatewayError) -> None:
        """Store the response as failed."""
        if self._ended:
            return
        row = msgspec.structs.replace(self._row, response=self._response)
        response = failed_object(row, "failed", error_of(error))
        event: dict[str, Any] = {"type": "response.failed", "sequence_number": self._number + 1}
        data = msgspec.json.encode({**event, "response": msgspec.Raw(response)})
        await self._end("failed", response, sse.event(data, "response.failed"))

    async def gone(self) -> None:
        """Nobody is there who could go."""
        await asyncio.Event().wait()

    def left(self) -> bool:
        """Nobody is there who could go."""
        return False

    def keep_alive(self, seconds: float) -> None:
        """Nobody is there to be told."""

    async def _end(self, status: str, response: bytes, events: bytes = b"") -> None:
        self._ended = True
        unit = [finished(self._row, status, response)]
        if events and self._row.stream:
            unit.append(self._events(events))
        try:
            await self._keeper.write(unit)
        except NoLongerRuns:
            log.info("%s: %s was cancelled or deleted meanwhile", self._row.call, self._row.id)

    def _events(self, data: bytes) -> Write:
        position = self._position
        self._position += 1
        return events_added(self._row, position, data)


class Runs:
    """The responses that this process runs in the background."""

    def __init__(self, pipeline: Pipeline, inflight: InFlight, keeper: Keeper) -> None:
        self._pipeline = pipeline
        self._inflight = inflight
        self._keeper = keeper
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._starting: set[str] = set()
        self._patrol: asyncio.Task[None] | None = None

    async def start(self, call: Call, row: StoredResponse, corrections: Corrections) -> None:
        """Write a response down and begin to run it. Raises `Unavailable`."""
        self._starting.add(call.id)
        try:
            await self._keeper.write((added(row),))
            reply = BackgroundReply(self._keeper, row, corrections)
            task = asyncio.get_running_loop().create_task(self._run(call, row, reply))
            self._tasks[call.id] = task
        finally:
            self._starting.discard(call.id)
        if self._patrol is None:
            self._patrol = asyncio.get_running_loop().create_task(self._look_after(row.worker or ""))

    def cancel(self, call_id: str) -> None:
        """Stop a call that was cancelled or deleted, if it runs here."""
        self._inflight.abort(
            call_id, GatewayError("The response was cancelled.", status=499, code="cancelled")
        )

    async def stop(self) -> None:
        """Wait for what still runs; the calls themselves were stopped before."""
        tasks = [*self._tasks.values(), *([self._patrol] if self._patrol else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # each is cancelled, or has told what was wrong
        self._patrol = None

    async def _run(self, call: Call, row: StoredResponse, reply: BackgroundReply) -> None:
        try:
            await self._keeper.write((begun(row),))
            await self._pipeline.run(call, reply)
        except NoLongerRuns:
            log.info("%s: %s was cancelled before it began", call.id, row.id)
        except GatewayError as error:
            log.error("%s: %s cannot be stored: %s", call.id, row.id, error.message)  # noqa: TRY400 - foreseen
        except Exception:
            log.exception("%s: %s has failed", call.id, row.id)
        finally:
            self._tasks.pop(call.id, None)

    async def _look_after(self, worker: str) -> None:
        """Stop what another process has cancelled; fail what could not be written down when it ended."""
        running: set[str] = set()
        while self._tasks or self._starting or running:
            await asyncio.sleep(PATROL_SECONDS)
            before = set(self._tasks)
            try:
                running = await running_calls(self._keeper.database, worker)
                for call_id in before - running:
                    self.cancel(call_id)
                unwritten = running - before - set(self._tasks) - self._starting
                if unwritten:
                    await self._keeper.settle_orphans(unwritten)
            except Unavailable:
                continue  # the journal says so, and when it is over
        self._patrol = None
