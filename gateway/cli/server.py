"""A uvicorn server that runs one gateway: starts it, and on a signal lets its calls finish before it goes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from gateway.cli.http import Http, Patience
from gateway.cli.memory import Crowd

if TYPE_CHECKING:
    from gateway.app import Gateway

BACKLOG = 2048
"""Connections that may wait to be accepted."""

GC_THRESHOLD = 20_000
"""New objects between collections: at Python's own 700, several are made during each call's turn of the loop."""

_TICKS_PER_LOOK = 10
"""Ticks of uvicorn's, a tenth of a second each, from one look at all connections to the next."""

_START_SECONDS = 5
"""How long a start goes on that is told to stop: it may be about to end, or hang in a plugin."""

_LAST_BYTES_SECONDS = 5
"""How long complete answers may take to leave once no call is running."""


class Server(uvicorn.Server):
    """Serves one gateway on a listening socket, in this process.

    The first SIGTERM or SIGINT makes the gateway not ready at once. Connections are still accepted, and new calls
    refused with 503, until the running calls have ended or `drain_seconds` are over; then everything is closed and
    the ledger flushed. A second signal cuts the running calls off. Unlike uvicorn, it then ends normally.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        on_ready: Callable[[], None],
        on_drain: Callable[[], None] | None = None,
        on_started: Callable[[], Awaitable[None]] | None = None,
        patience: Patience = Patience(),  # noqa: B008 - it cannot change
    ) -> None:
        super().__init__(
            uvicorn.Config(
                gateway.answer,
                loop="auto",
                http=Http,
                ws="websockets-sansio",
                ws_per_message_deflate=False,
                lifespan="off",  # started and stopped below, so that errors reach the command as they are
                interface="asgi3",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=_LAST_BYTES_SECONDS,
            )
        )
        self._gateway = gateway
        self._on_ready = on_ready
        self._on_drain = on_drain
        self._on_started = on_started
        self._patience = patience
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = asyncio.Event()
        self._cut_off = asyncio.Event()
        self._crowd = Crowd()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the gateway, then listen. Raises what the gateway's start raises."""
        self._loop = asyncio.get_running_loop()
        if not await self._start_gateway():
            return
        await super().startup(sockets)
        _settle_memory()
        self._on_ready()
        if self._on_started is not None:
            await self._on_started()

    async def _start_gateway(self) -> bool:
        """Start the gateway; False when a signal ended that."""
        if self.should_exit:
            self._leaving.set()
        starting = asyncio.ensure_future(self._gateway.startup())
        await _first(starting, self._leaving)
        if not starting.done():
            await _first(starting, self._cut_off, timeout=_START_SECONDS)
            starting.cancel()
        await asyncio.wait({starting})
        if starting.cancelled() and self.should_exit:
            return False
        await starting
        return True

    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second, let no client keep a connection, nor the process memory, for nothing."""
        if self._loop is not None and counter % _TICKS_PER_LOOK == 0:
            now = self._loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Http):
                    connection.look(now, self._patience)
            self._crowd.note(self._gateway.running)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the running calls finish, stop listening, stop the gateway."""
        self._gateway.drain()
        if self._on_drain is not None:
            self._on_drain()
        await self._finish_calls()
        await super().shutdown(sockets)
        await self._gateway.shutdown()

    async def _finish_calls(self) -> None:
        seconds = self._gateway.config.settings.drain_seconds
        finishing = asyncio.ensure_future(self._gateway.finish(seconds))
        await _first(finishing, self._cut_off)
        finishing.cancel()
        await asyncio.wait({finishing})
        await self._gateway.finish(0)

    def leave(self) -> None:
        """Begin to stop: not ready from now on. Callable from a signal handler."""
        self.should_exit = True
        self._gateway.drain()
        self._tell(self._leaving)

    def cut_off(self) -> None:
        """Stop without waiting for the running calls. Callable from a signal handler."""
        self.leave()
        self._tell(self._cut_off)

    def _tell(self, event: asyncio.Event) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(event.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal: the first one stops gently, the next one at once."""
        del sig, frame
        if self.should_exit:
            self.cut_off()
        else:
            self.leave()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Listen to signals while the server runs; unlike uvicorn's, they are not raised again afterwards."""
        before = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


async def _first(work: asyncio.Future[None], event: asyncio.Event, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - what has not ended is not cancelled
    """Wait until the work or the event is there, or the time is over."""
    told = asyncio.ensure_future(event.wait())
    await asyncio.wait({work, told}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    await asyncio.wait({told})


def _settle_memory() -> None:
    """Tell the collector that what is there now stays, and that calls leave few cycles behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 10, 10)
