"""What uvicorn keeps for each connection beside the connection itself, at a fraction of the size.

`asyncio.Event` and `collections.deque` take three quarters of a kilobyte each, also while they are empty, and there are
three of them on every connection.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl


class Signal:
    """An `asyncio.Event`."""

    __slots__ = ("_on", "_waiters")

    def __init__(self, *, on: bool = False) -> None:
        self._on = on
        self._waiters: tuple[asyncio.Future[None], ...] = ()

    def set(self) -> None:
        """Let everybody go on who waits."""
        self._on = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Let everybody wait who comes from now on."""
        self._on = False

    async def wait(self) -> None:
        """Wait until it is set."""
        if self._on:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters += (waiter,)
        try:
            await waiter
        finally:
            self._waiters = tuple(each for each in self._waiters if each is not waiter)


class Flow(FlowControl):
    """uvicorn's flow control."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.read_paused = False
        self.write_paused = False
        self._is_writable_event: Any = Signal(on=True)


class Waiting(list[Any]):
    """Pipelined requests that wait for their turn; the first is at the end."""

    __slots__ = ()

    def appendleft(self, item: Any) -> None:
        """Put a request behind all the others."""
        self.insert(0, item)
