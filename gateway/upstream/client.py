"""The client: prepares requests and sends them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Sequence

from gateway.upstream.connection import SLICE
from gateway.upstream.dial import resolve
from gateway.upstream.errors import ConnectionLost
from gateway.upstream.guard import Guard
from gateway.upstream.limits import Limits, Timeouts
from gateway.upstream.origin import parse_url
from gateway.upstream.pool import Pool
from gateway.upstream.proxies import Proxies
from gateway.upstream.request import Prepared
from gateway.upstream.response import Response
from gateway.upstream.ticker import Ticker


class Client:
    """An HTTP/1.1 client for many requests to few origins. Belongs to one event loop.

    `guard` says to which addresses requests may go; by default everywhere but to the metadata services of clouds.

    Redirects are returned as they are. Responses come undecoded: `accept-encoding: identity` is sent.
    Making one has no side effects; connections open when requests need them.

    A request is sent a second time, once and by itself, only when that cannot process it twice. An idle connection
    that the peer has closed before the request was written is replaced, for any method: closing is noticed when
    the event loop sees it, and the kernel is asked for every connection idle for more than 10 ms. When the request
    is written and a connection from the pool then dies with no byte of an answer, only GET, HEAD and OPTIONS are
    sent again; a POST fails with `ConnectionLost`, for the origin may have processed it.
    """

    def __init__(
        self,
        *,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        proxies: Proxies | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._limits = limits or Limits()
        self._tls = tls
        self._proxies = proxies or Proxies()
        self._guard = guard or Guard(public_only=False)
        self._pools: dict[tuple[bool, str, int, bool], Pool] = {}
        self._ticker = Ticker()

    def prepare(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[bytes, bytes]] = (),
        *,
        metadata: bool = False,
    ) -> Prepared:
        """Encode a request head, to be sent any number of times.

        `metadata` says that this request is meant for a cloud's metadata service: the guard lets it pass.

        Raises ValueError for a URL that is not absolute http(s), for header names and values that HTTP does not
        allow, and for headers that the client sets by itself (`content-length`, `connection` and the like).
        """
        origin, target = parse_url(url)
        key = (origin.tls, origin.host, origin.port, metadata)
        pool = self._pools.get(key)
        if pool is None:
            proxy = self._proxies.find(origin)
            pool = Pool(
                origin,
                proxy,
                limits=self._limits,
                ticker=self._ticker,
                tls=self._tls_context,
                guard=None if metadata else self._guard,
            )
            self._pools[key] = pool
        if pool.forward is not None:
            target = f"http://{origin.authority}{target}"
        return Prepared(method, target, origin.authority, headers, pool)

    async def send(
        self,
        prepared: Prepared,
        body: bytes = b"",
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        timeouts: Timeouts | None = None,
    ) -> Response:
        """Send the request, with `headers` added to the prepared ones; return when the response head is there.

        Raises `UpstreamError`, or ValueError as `prepare` does. Cancelling drops the connection.
        """
        head = prepared.encode(body, headers)
        request = head if len(body) > SLICE else head + body
        timeouts = timeouts or self._timeouts
        pool = prepared.pool
        clock = time.monotonic  # the loop's own time, without asking for the loop, which costs a system call
        again = False
        while True:
            now = clock()
            connection = pool.take(now, wary=again)
            if connection is None:
                connection = await pool.acquire(timeouts, now)
                now = clock()
            if not self._ticker.running:
                self._ticker.start()
            waiter = self._ticker.loop.create_future()
            response = connection.begin(request, timeouts, now, waiter, is_head=prepared.is_head)
            try:
                if len(body) > SLICE:
                    await connection.write_long(body, response)
                await waiter
            except asyncio.CancelledError:
                response.close()
                raise
            if response.status:
                return response
            error = response.error
            assert error is not None
            if again or not prepared.safe or not (isinstance(error, ConnectionLost) and error.unanswered):
                raise error
            again = True

    async def way_to(self, url: str) -> tuple[ssl.SSLContext | None, str | None]:
        """Return what another client needs to reach a URL in the same way: TLS where it needs that, and a proxy's URL.

        Raises `AddressRefused` where this one would; that its name does not resolve is left to the other to say.
        """
        origin, _ = parse_url(url)
        proxy = self._proxies.find(origin)
        if proxy is None:
            with contextlib.suppress(OSError):
                self._guard.check(str(origin), await resolve(origin.host, origin.port))
        return self._tls_context() if origin.tls else None, proxy.url if proxy else None

    def open(self) -> None:
        """Serve again after `close`, also on another event loop. A new client is open."""
        for pool in self._pools.values():
            pool.open()

    async def close(self) -> None:
        """Close all connections; running exchanges fail with `ConnectionLost`, later ones with RuntimeError."""
        self._ticker.stop()
        for pool in self._pools.values():
            await pool.close()

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
