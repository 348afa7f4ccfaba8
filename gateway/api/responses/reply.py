"""The way back of a response that is stored, or that continues another one."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable

import msgspec
from starlette.types import Receive, Send

from gateway.api.reply import HttpReply
from gateway.api.responses.events import TERMINAL, Corrections, events_in, id_and_status
from gateway.api.responses.keeper import Keeper
from gateway.push import Later
from gateway.store.responses import StoredResponse, added, is_storable
from gateway.types import Answer
from gateway.wire import Wire

log = logging.getLogger("gateway.responses")


class KeepingReply(HttpReply):
    """Stores a response before the client can see that it is complete. `row` lacks only what the answer says."""

    __slots__ = ("_corrections", "_keeper", "_row")

    def __init__(
        self,
        wire: Wire,
        receive: Receive,
        send: Send,
        *,
        keeper: Keeper,
        row: StoredResponse | None,
        corrections: Corrections,
    ) -> None:
        super().__init__(wire, receive, send)
        self._keeper = keeper
        self._row = row
        self._corrections = corrections

    async def whole(self, answer: Answer) -> None:
        """Store the answer, then send it."""
        answer.body = self._corrections.of(answer.body)
        await self._keep(answer.body)
        await super().whole(answer)

    def write(self, data: bytes) -> Awaitable[None]:
        """Store the response that the last event holds, then send the event; all others just pass."""
        if self._corrections:
            if b'"response"' in data:
                return Later(functools.partial(self._write_corrected, data))
        elif b'"response.completed"' in data or b'"response.incomplete"' in data:
            return Later(functools.partial(self._write_kept, data))
        return super().write(data)

    async def _write_corrected(self, data: bytes) -> None:
        await super().write(await self._corrected(data))

    async def _write_kept(self, data: bytes) -> None:
        await self._corrected(data)
        await super().write(data)

    async def _corrected(self, data: bytes) -> bytes:
        events = [self._corrections.event(seen) for seen in events_in(data)]
        for seen in events:
            if seen.type in TERMINAL and seen.response is not None:
                await self._keep(seen.response)
        return b"".join(seen.data for seen in events)

    async def _keep(self, response: bytes) -> None:
        if self._row is None:
            return
        response_id, status = id_and_status(response)
        if not is_storable(response_id):
            log.warning("%s: a response with the id %.50r cannot be stored", self._row.call, response_id)
            return
        row = msgspec.structs.replace(self._row, id=response_id, status=status, response=response)
        self._row = None
        await self._keeper.write((added(row),))
