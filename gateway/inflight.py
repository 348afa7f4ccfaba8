"""The calls that are running now, and the one clock that watches over all of them.

A watcher task or a timer for each call would cost more than most calls do; one tick every quarter second looks after
them together: total timeout, signs of life on quiet streams, and clients that have gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Literal

from msgspec import Struct, field

from gateway.errors import CallTimeout, ClientGone, GatewayError
from gateway.protocols import Reply
from gateway.types import Call, Outcome
from gateway.wire import StreamReader

TICK_SECONDS = 0.25

LAST_WORD_SECONDS = 1.0
"""How long a call that is stopped may take to tell its client so, before it is stopped again without a word."""


class Running(Struct, eq=False):
    """A call on its way, with everything that is known of it so far."""

    call: Call
    reply: Reply
    task: asyncio.Task[object]
    began: float
    """By the monotonic clock."""
    outcome: Outcome = field(default_factory=Outcome)
    opened: bool = False
    """Whether the ledger holds an intent for it."""
    settled: bool = False
    catalogue: str | None = None
    """Of the provider that was last tried."""
    reader: StreamReader | None = None
    first: bytes = b""
    """The first whole events of a stream, read before the target was settled on."""
    abort_reason: GatewayError | None = None
    aborts: int = 0
    """Cancellations that are not taken back."""
    watcher: asyncio.Task[None] | None = None

    def abort(self, reason: GatewayError) -> None:
        """Stop the call wherever it waits; the pipeline settles it with the first reason given.

        A settled call is stopped as well: it may wait for ever for a client that does not read.
        """
        if self.abort_reason is None:
            self.abort_reason = reason
        self.aborts += 1
        self.task.cancel()

    def take_back(self) -> bool:
        """Take back the cancellations that were aborts; whether there was one, and none from outside remains."""
        if not self.aborts:
            return False
        while self.aborts:
            self.aborts -= 1
            self.task.uncancel()
        return self.task.cancelling() == 0


class InFlight(dict[str, Running]):
    """All running calls of one gateway, by id."""

    def __init__(
        self,
        *,
        on_disconnect: Literal["cancel", "drain"],
        total_seconds: float,
        session_seconds: float,
        keep_alive_seconds: float,
    ) -> None:
        super().__init__()
        self._on_disconnect = on_disconnect
        self._total = total_seconds
        self._session = session_seconds
        self._keep_alive = keep_alive_seconds
        self._ticking: asyncio.AbstractEventLoop | None = None
        self._idle: asyncio.Event | None = None

    def abort(self, call_id: str, reason: GatewayError) -> None:
        """Stop one call, if it is running here."""
        running = self.get(call_id)
        if running is not None:
            running.abort(reason)

    def add(self, call: Call, reply: Reply) -> Running:
        """Take in a call that the current task is going to run."""
        loop = self._ticking
        # To ask for the loop costs a system call.
        task = None if loop is None else asyncio.current_task(loop)
        if task is None:
            loop = self._ticking = asyncio.get_running_loop()
            loop.call_later(TICK_SECONDS, self._tick, loop)
            task = asyncio.current_task(loop)
            assert task is not None
        running = Running(call, reply, task, time.monotonic())
        self[call.id] = running
        return running

    def remove(self, running: Running) -> None:
        """Let go of a call that has ended."""
        del self[running.call.id]
        if self._idle is not None and not self:
            self._idle.set()
        if running.watcher is not None:
            running.watcher.cancel()
            running.watcher = (
                None  # the watcher's frame holds the call: without this, only the collector could free both
            )

    async def finish(self, seconds: float, reason: GatewayError) -> None:
        """Wait until every call has ended; after so many seconds, stop those that have not."""
        if not self:
            return
        self._idle = asyncio.Event()
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            while self:
                for running in list(self.values()):
                    running.abort(reason)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._idle.wait(), LAST_WORD_SECONDS)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self:
            self._ticking = None
            return
        loop.call_later(TICK_SECONDS, self._tick, loop)
        now = time.monotonic()
        for running in list(self.values()):
            age = now - running.began
            if running.call.capability == "realtime":
                if age > self._session:
                    running.abort(_expired(self._session))
            elif age > self._total:
                running.abort(CallTimeout(f"The call took longer than {self._total:g} seconds."))
            if running.watcher is None and age >= TICK_SECONDS:
                left = running.reply.left()
                if left is None:
                    running.watcher = loop.create_task(self._watch(running))
                elif left:
                    self._has_left(running)
            if running.call.stream and not running.settled:
                running.reply.keep_alive(self._keep_alive)

    async def _watch(self, running: Running) -> None:
        await running.reply.gone()
        self._has_left(running)

    def _has_left(self, running: Running) -> None:
        if self._on_disconnect == "cancel" and running.abort_reason is None:
            running.abort(ClientGone("The client closed the connection."))


def _expired(seconds: float) -> CallTimeout:
    return CallTimeout(f"The session has reached its end after {seconds:g} seconds.", code="session_expired")
