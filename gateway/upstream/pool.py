"""The connections to one origin."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from gateway.upstream.connection import Connection
from gateway.upstream.dial import dial
from gateway.upstream.errors import ConnectFailed, ConnectionLost, PoolTimeout, UpstreamError
from gateway.upstream.guard import Guard
from gateway.upstream.limits import Limits, Timeouts
from gateway.upstream.origin import Origin
from gateway.upstream.proxies import Proxy
from gateway.upstream.ticker import Ticker

FRESH = 0.01
"""Seconds for which an idle connection is trusted without asking the kernel (which costs 0.4 µs)."""

Turn: TypeAlias = "Connection | UpstreamError | None"
"""What ends the wait for a turn: a connection, the right to open one (None), or an error."""


class Pool:
    """Lends connections, the most recently used first; requests above the limit wait in order."""

    def __init__(
        self,
        origin: Origin,
        proxy: Proxy | None,
        *,
        limits: Limits,
        ticker: Ticker,
        tls: Callable[[], ssl.SSLContext],
        guard: Guard | None,
    ) -> None:
        self.origin = origin
        self.forward = None if origin.tls else proxy
        """The proxy that is sent whole requests, in absolute form (RFC 9112 §3.2.2)."""
        self._proxy = proxy
        self._limits = limits
        self._ticker = ticker
        self._tls = tls
        self._guard = guard
        self._peer = str(origin)
        self._size = 0
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[asyncio.Future[Turn], float]] = deque()
        self._open: set[Connection] = set()
        self._all_closed = asyncio.Event()
        self._shut = False
        ticker.add(self)

    def take(self, now: float, *, wary: bool) -> Connection | None:
        """Return an idle connection that is still good, without waiting; None when there is none.

        The kernel is asked first about one that was idle for more than a moment, or about any when `wary`.
        """
        idle = self._idle
        while idle:
            connection = idle.pop()
            resting = now - connection.idle_since
            connection.idle_since = 0.0
            if (resting < FRESH and not wary) or connection.is_silent():
                self._ticker.busy.add(connection)
                return connection
            connection.drop()
        return None

    async def acquire(self, timeouts: Timeouts, now: float) -> Connection:
        """Open a connection, or wait for one, for up to `timeouts.connect` in all."""
        deadline = now + timeouts.connect
        while True:
            if self._shut:
                raise RuntimeError("the client is closed")
            if self._size < self._limits.max_connections:
                self._size += 1
                break
            connection = await self._wait(deadline)
            if connection is None:
                break
            if connection.live:
                return self._busy(connection)
        return self._busy(await self._connect(deadline))

    def _busy(self, connection: Connection) -> Connection:
        self._ticker.busy.add(connection)
        return connection

    async def _wait(self, deadline: float) -> Connection | None:
        future: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, deadline))
        if not self._ticker.running:
            self._ticker.start()
        try:
            turn = await future
        except asyncio.CancelledError:
            if not future.cancelled():
                self._pass_on(future.result())
            raise
        if isinstance(turn, UpstreamError):
            raise turn
        return turn

    def _pass_on(self, turn: Turn) -> None:
        """Give to the next what was given to a request that has been cancelled."""
        if turn is None:
            self._free()
        elif isinstance(turn, Connection) and turn.live:
            self.release(turn)

    async def _connect(self, deadline: float) -> Connection:
        try:
            tls = self._tls() if self.origin.tls else None
            connection = await dial(
                lambda: Connection(self, self._peer, self._limits),
                self.origin,
                proxy=self._proxy,
                tls=tls,
                guard=self._guard,
                deadline=deadline,
            )
        except BaseException:
            self._free()
            raise
        if self._shut or not connection.adopt():
            connection.drop()
            self._free()
            raise ConnectFailed(f"{self._peer} closed the connection at once")
        return connection

    def _free(self) -> None:
        """Let somebody else open a connection in the place of one."""
        self._size -= 1
        while self._waiting and not self._shut:
            future, _ = self._waiting.popleft()
            if not future.done():
                self._size += 1
                future.set_result(None)
                return

    def release(self, connection: Connection) -> None:
        """Take back a connection whose exchange is over, and hand it to whoever has waited longest."""
        self._ticker.busy.discard(connection)
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return
        if len(self._idle) >= self._limits.max_idle:
            connection.drop()
            return
        connection.idle_since = time.monotonic()
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        self._ticker.busy.discard(connection)
        if connection.idle_since:
            self._idle.remove(connection)
        self._free()

    def opened(self, connection: Connection) -> None:
        self._open.add(connection)
        self._all_closed.clear()

    def closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._all_closed.set()

    def expire(self, now: float) -> float | None:
        """Close connections idle for too long, refuse requests that waited too long; for the ticker."""
        waiting = False
        for future, deadline in self._waiting:
            if future.done():
                continue
            if deadline > now:
                waiting = True
                continue
            count = self._limits.max_connections
            future.set_result(PoolTimeout(f"all {count} connections to {self._peer} stayed in use"))
        if not waiting:
            self._waiting.clear()
        expiry = self._limits.idle_expiry
        while self._idle and now - self._idle[0].idle_since >= expiry:
            self._idle[0].drop()
        if waiting:
            return now
        return self._idle[0].idle_since + expiry if self._idle else None

    def open(self) -> None:
        """Lend connections again after `close`, also on another event loop."""
        self._shut = False
        self._all_closed = asyncio.Event()

    async def close(self) -> None:
        """Close all connections, and wait until their sockets are closed; running exchanges fail."""
        self._shut = True
        error = ConnectionLost(f"the client was closed during a request to {self._peer}")
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_result(PoolTimeout("the client was closed"))
        for connection in tuple(self._open):
            connection.fail(error)
        if self._open:
            await self._all_closed.wait()
