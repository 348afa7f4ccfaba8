"""The events of a response in the background: those that were, and those to come.

Whichever process runs it writes its events into the database, and every process can follow them there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import msgspec
from starlette.responses import StreamingResponse

from gateway.api.reply import STREAM_HEADERS
from gateway.api.responses.events import TERMINAL, Seen, events_in
from gateway.api.responses.keeper import Keeper
from gateway.api.responses.shown import shown
from gateway.store.responses import StoredResponse, get_events, get_response
from gateway.wire import sse

POLL_SECONDS = 0.1
"""How often the database is asked for more while a response runs."""

_KEEP_ALIVE = b": keep-alive\n\n"


class Follower:
    """Streams what responses in the background say. `keep_alive` is after how many quiet seconds to give a sign of life."""

    def __init__(self, keeper: Keeper, *, keep_alive: float) -> None:
        self._keeper = keeper
        self._keep_alive = keep_alive

    def response(self, row: StoredResponse, *, starting_after: int) -> StreamingResponse:
        """Make the answer to whoever wants the events after that number."""
        headers = {name.decode(): value.decode() for name, value in STREAM_HEADERS}
        return StreamingResponse(self._stream(row, starting_after), headers=headers)

    async def _stream(self, row: StoredResponse, starting_after: int) -> AsyncGenerator[bytes]:
        last = starting_after
        quiet_since = time.monotonic()
        async for seen in self._events(row):
            if seen is None:
                if time.monotonic() - quiet_since >= self._keep_alive:
                    quiet_since = time.monotonic()
                    yield _KEEP_ALIVE
            elif seen.number > last:
                last = seen.number
                quiet_since = time.monotonic()
                yield seen.data

    async def _events(self, row: StoredResponse) -> AsyncGenerator[Seen | None]:
        """Yield every event, and None whenever there is none yet; the last one is always terminal."""
        position, number = 0, -1
        while True:
            fresh = await get_response(self._keeper.database, row.tenant, row.id)
            pieces = await get_events(self._keeper.database, row.tenant, row.id, start=position)
            position += len(pieces)
            for piece in pieces:
                for seen in events_in(piece):
                    number = max(number, seen.number)
                    yield seen
                    if seen.type in TERMINAL:
                        return
            if fresh is None:  # deleted meanwhile: the stream just ends
                return
            if fresh.worker is None and not pieces:
                yield _closing(fresh, number + 1)
                return
            yield None
            await asyncio.sleep(POLL_SECONDS)


def _closing(row: StoredResponse, number: int) -> Seen:
    """Make the last event of a response whose stream broke off, because it was cancelled or its worker died."""
    event = {"type": "response.failed", "sequence_number": number, "response": msgspec.Raw(shown(row))}
    data = sse.event(msgspec.json.encode(event), "response.failed")
    return Seen("response.failed", number, data, None)
