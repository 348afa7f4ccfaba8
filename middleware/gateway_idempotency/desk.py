"""Who may carry out a request, and who is given the answer to the one before."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.errors import InvalidRequest, Unavailable
from gateway.store.kept_answers import (
    LOST,
    TOO_LARGE,
    claim_answer,
    give_back,
    keep_answer,
    look_at_answer,
    note_lost,
)
from gateway_idempotency.recording import Recording, too_large

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.kept_answers import Earlier
    from gateway_idempotency.asked import Asked

log = logging.getLogger("gateway.plugin.middleware.idempotency")

_FOR_NOW: Final = frozenset({401, 402, 403, 408, 409, 425, 429})
"""Refusals that the same request may not meet again; besides them, all from 500 on."""
_REFUSAL: Final = 400
_SERVER_ERROR: Final = 500
_FIRST_LOOK: Final = 0.02
_LATER_LOOKS: Final = 0.5
_SLOWER: Final = 1.5
"""Seconds between looks at what another worker does, and how these grow."""
_TRY_AGAIN: Final = 1.0
_LAST_TRY: Final = 2.0


def _nothing() -> None:
    """Nobody waits."""


class Entry:
    """A request that this worker carries out, or whose answer it looks for."""

    def __init__(self, asked: Asked, recording: Recording) -> None:
        self.asked = asked
        self.recording = recording
        self.mine = False
        """Whether this worker carries it out."""
        self.billed: list[str] = []
        """The calls that were made for it, and succeeded."""
        self.settled: Callable[[], None] = _nothing
        """Called once what became of it is written down, or another worker has it."""
        self.decided = asyncio.Event()
        """Set once it is known whether the key belongs to this request."""


class Desk:
    """The keys of one worker. Requests of one key stand in line here; the first asks the database for all of them."""

    def __init__(self, database: Database, worker: str, *, seconds: float, most: int) -> None:
        self._database = database
        self._worker = worker
        self._seconds = seconds
        self._most = most
        self._entries: dict[tuple[str, str], Entry] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, asked: Asked) -> Entry:
        """Return what the request is to be carried out under (`mine`, for one only), or whose answer it gets.

        Raises `InvalidRequest`: 422 when the key came with another request, 410 when its answer was too large to be
        kept, or was billed and is lost; and `Unavailable`.
        """
        place = (asked.tenant, asked.id)
        while (entry := self._entries.get(place)) is not None:
            if entry.asked.fingerprint == asked.fingerprint:
                return entry
            await entry.decided.wait()
            if self._entries.get(place) is entry:
                raise _reused()
        return await self._begin(asked)

    async def close(self, entry: Entry, *, whole: bool) -> None:
        """Write down what became of a request that was carried out, also when whoever waits for that is cancelled."""
        await asyncio.shield(self._spawn(self._close(entry, whole)))

    async def stop(self) -> None:
        """Finish what is being written down. What cannot be is free for others once this worker has left."""
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_TRY)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # each has ended, or is cancelled

    async def _begin(self, asked: Asked) -> Entry:
        entry = self._entries[asked.tenant, asked.id] = Entry(asked, Recording(self._most))
        try:
            earlier = await self._claim(entry)
            if earlier is None:
                entry.mine = True
                return entry
            entry.recording.fill(earlier.status or 0, earlier.answer or b"")
        except asyncio.CancelledError:
            entry.mine = True  # as far as anybody knows
            self._spawn(self._close(entry, whole=False))
            raise
        finally:
            entry.decided.set()
            if not entry.mine:
                self._let_go(entry)
        return entry

    async def _claim(self, entry: Entry) -> Earlier | None:
        """Take the key, or wait for the worker that has it; return what that one answered."""
        asked, pause = entry.asked, _FIRST_LOOK
        earlier = await self._try(asked)
        while earlier is not None:
            if earlier.fingerprint != asked.fingerprint:
                raise _reused()
            if earlier.status == TOO_LARGE:
                raise too_large(self._most)
            if earlier.status == LOST:
                raise _lost(earlier.calls)
            if earlier.status is not None:
                break
            entry.decided.set()
            await asyncio.sleep(pause)
            pause = min(pause * _SLOWER, _LATER_LOOKS)
            earlier = await look_at_answer(self._database, asked.tenant, asked.id, worker=self._worker)
            if earlier is None:
                earlier = await self._try(asked)
        return earlier

    async def _try(self, asked: Asked) -> Earlier | None:
        return await claim_answer(
            self._database,
            asked.tenant,
            asked.id,
            key=asked.key,
            fingerprint=asked.fingerprint,
            worker=self._worker,
            seconds=self._seconds,
        )

    async def _close(self, entry: Entry, whole: bool) -> None:
        written = True
        try:
            await self._write(entry, whole)
        except (Unavailable, SQLAlchemyError) as error:
            log.warning(
                "what became of a request with an Idempotency-Key is written down later: %s", _reason(error)
            )
            self._spawn(self._write_later(entry, whole))
            written = False
        finally:
            entry.recording.end(whole=whole)
            if written:
                self._let_go(entry)

    async def _write_later(self, entry: Entry, whole: bool) -> None:
        """Until it is written, this worker knows the answer by heart."""
        while True:
            await asyncio.sleep(_TRY_AGAIN)
            with contextlib.suppress(Unavailable, SQLAlchemyError):
                await self._write(entry, whole)
                self._let_go(entry)
                return

    async def _write(self, entry: Entry, whole: bool) -> None:
        asked, recording = entry.asked, entry.recording
        status = recording.status
        if not whole and entry.billed:
            await note_lost(self._database, asked.tenant, asked.id, worker=self._worker)
            return
        if not whole or status in _FOR_NOW or status >= _SERVER_ERROR:
            await give_back(self._database, asked.tenant, asked.id, worker=self._worker)
            return
        try:
            await keep_answer(
                self._database,
                asked.tenant,
                asked.id,
                worker=self._worker,
                status=TOO_LARGE if recording.too_large else status,
                answer=None if recording.too_large else recording.encoded(),
            )
        except SQLAlchemyError as error:  # of a database that is there, and does not take it
            log.error("an answer to a request with an Idempotency-Key cannot be kept: %s", _reason(error))  # noqa: TRY400 - the reason says it all
            another_try_is_as_good = status >= _REFUSAL and not entry.billed
            forget = give_back if another_try_is_as_good else note_lost
            await forget(self._database, asked.tenant, asked.id, worker=self._worker)

    def _let_go(self, entry: Entry) -> None:
        del self._entries[entry.asked.tenant, entry.asked.id]
        entry.settled()
        if not entry.recording.ended:
            entry.recording.end(whole=False)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name="idempotency: write down")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _reason(error: Exception) -> str:
    """What the database says, without the statement, which holds the answer."""
    return str(error.orig) if isinstance(error, DBAPIError) else str(error)


def _lost(calls: Sequence[str]) -> InvalidRequest:
    billed = f" as {', '.join(calls)}, which is billed" if calls else ""
    return InvalidRequest(
        f"The request with this Idempotency-Key was carried out{billed}, but its answer was "
        "lost before it could be kept. It is not carried out again; use a new key to make the request anew.",
        status=410,
        code="idempotency_answer_lost",
        headers=[(b"x-should-retry", b"false")],
    )


def _reused() -> InvalidRequest:
    return InvalidRequest(
        "This Idempotency-Key came with another request already. Use a new key for a new request.",
        status=422,
        code="idempotency_key_reused",
    )
