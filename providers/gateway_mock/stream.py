"""A stream of prepared events, with the pauses and faults that the script asks for."""

from __future__ import annotations

import asyncio

from gateway.errors import ProviderError
from gateway_mock.script import Script

_BROKEN = b'data: {"id":"chatcmpl-\n\n'


class EventStream:
    """An asynchronous iterator over events."""

    def __init__(self, events: list[bytes], script: Script, *, provider: str, hang_seconds: float) -> None:
        if script.empty:
            events = []
        elif script.malformed:
            events = [*events[:2], _BROKEN, *events[2:]]
        self._events = events
        self._position = 0
        self._pause = script.chunk_delay_ms / 1000
        self._cut = script.cut_after
        self._hang = script.hang_after
        self._hang_seconds = hang_seconds
        self._provider = provider

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> bytes:
        position = self._position
        # Also without a pause the others get their turn, as they would if this came from a socket.
        await asyncio.sleep(self._pause)
        if position == self._cut:
            raise ProviderError(
                f"{self._provider} closed the connection in the middle of its answer.",
                provider=self._provider,
                code="upstream_cut",
            )
        if position == self._hang:
            await asyncio.sleep(self._hang_seconds)
            raise ProviderError(
                f"{self._provider} stopped in the middle of its answer.",
                provider=self._provider,
                status=504,
                code="upstream_timeout",
            )
        if position >= len(self._events):
            raise StopAsyncIteration
        self._position = position + 1
        return self._events[position]

    def close(self) -> None:
        """Drop what has not been read yet."""
        self._events = []
