"""Sessions over WebSockets, for providers whose service has such: OpenAI's Realtime API, Gemini's Live API."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidStatus,
)

from gateway.errors import ProviderError
from gateway.provider.credentials import Credential
from gateway.provider.failures import Failures
from gateway.provider.turns import in_turn
from gateway.types import Answer, RawHeaders
from gateway.upstream import AddressRefused

if TYPE_CHECKING:
    from gateway.provider.service import Service

OPEN_SECONDS: Final = 10.0
"""How long connecting and the handshake may take."""
FIRST_SECONDS: Final = 20.0
"""How long the service may take to say that the session has begun."""
_LARGEST_MESSAGE: Final = 16 * 2**20
_WAITING_MESSAGES: Final = 16
"""Beyond so many, the socket is not read until the client has caught up."""
_CLOSE_SECONDS: Final = 2.0
_NOT_THIS_KEY: Final = frozenset({401, 403, 429})
_CLIENTS_FAULT: Final = frozenset({400, 404})

Closed: TypeAlias = Callable[[int, str], int | None]
"""Tells the HTTP status of what a service means by closing with a code and a reason; None where it is none of the usual."""


async def open_session(
    service: Service,
    tenant: str,
    place: Callable[[Credential], tuple[str, RawHeaders]],
    *,
    setup: bytes = b"",
    closed: Closed = lambda _code, _reason: None,
) -> Answer:
    """Open a session with the first credential of the tenant's that the service takes. Raises `ProviderError`.

    `place` returns, for a credential, the http(s) URL and the headers of the request; `setup` is what the service wants to
    hear before it says that the session has begun, if anything.
    """

    async def open_one(credential: Credential) -> tuple[Answer | ProviderError, bool]:
        url, headers = place(credential)
        try:
            tls, proxy = await service.client.way_to(url)
            connection = await _connect(url, headers, tls, proxy)
        except InvalidStatus as refusal:
            return _refused(service.failures, refusal)
        except InvalidHandshake:
            raise service.failures.unusable("no WebSocket where a session was to be opened") from None
        except TimeoutError:
            raise _broken(service.name, "did not open a session in time", 504, "upstream_timeout") from None
        except (AddressRefused, OSError):
            raise _broken(service.name, "could not be reached", 502, "upstream_unreachable") from None
        session = Session(connection, service.name, service.failures, closed)
        try:
            await session.begin(setup)
        except ProviderError as refusal:
            session.abort()
            return refusal, refusal.status in _NOT_THIS_KEY
        except BaseException:
            session.abort()
            raise
        answer = Answer(101, [], stream=session, close=session.abort, scrub=service.failures.scrub)
        answer.session = session
        return answer, False

    return await in_turn(service.credentials.of(tenant), open_one)


class Session:
    """The provider's side of a session: iterating yields its messages, one by one."""

    def __init__(self, connection: ClientConnection, name: str, failures: Failures, closed: Closed) -> None:
        self._connection = connection
        self._name = name
        self._failures = failures
        self._told = closed
        self._first: bytes | None = None
        self._ended = False
        self._closing: asyncio.Task[None] | None = None

    async def begin(self, setup: bytes) -> None:
        """Wait until the service says that the session has begun, or ends it. Raises `ProviderError`."""
        with contextlib.suppress(StopAsyncIteration):
            try:
                async with asyncio.timeout(FIRST_SECONDS):
                    if setup:
                        await self.send(setup.decode())
                    self._first = await self._receive()
            except TimeoutError:
                raise _broken(
                    self._name, "did not begin the session in time", 504, "upstream_timeout"
                ) from None

    def __aiter__(self) -> Session:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, None
        return await self._receive() if first is None else first

    async def _receive(self) -> bytes:
        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosedOK:
            raise StopAsyncIteration from None
        except ConnectionClosed as closed:
            if self._ended:
                raise StopAsyncIteration from None
            raise self._cut(closed) from None

    async def send(self, message: str | bytes) -> None:
        """Hand a client's message on; waits while the service is slow. Does nothing once the session is over."""
        with contextlib.suppress(ConnectionClosed):  # whoever reads from it is told
            await self._connection.send(message)

    async def close(self) -> None:
        """End the session, as the client wants it; what the service still sends is lost."""
        self._ended = True
        await self._connection.close()

    def abort(self) -> None:
        """End the session without waiting for that."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._connection.close(1001))

    def _cut(self, closed: ConnectionClosed) -> ProviderError:
        if closed.rcvd is None:
            return _broken(self._name, "broke the session off", 502, "upstream_cut")
        reason = closed.rcvd.reason
        status = self._told(closed.rcvd.code, reason) if reason else None
        if status is not None:
            return ProviderError(
                self._failures.scrub(reason),
                provider=self._name,
                status=status,
                can_fall_back=status not in _CLIENTS_FAULT,
                code="upstream_closed",
            )
        why = f": {reason}" if reason else ""
        what = f"closed the session with code {closed.rcvd.code}{self._failures.scrub(why)}"
        return _broken(self._name, what, 502, "upstream_closed")


class _Connect(connect):
    """Follows no redirects: the credential is for one place only."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def _connect(
    url: str, headers: RawHeaders, tls: ssl.SSLContext | None, proxy: str | None
) -> ClientConnection:
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    return await _Connect(
        "ws" + url.removeprefix("http"),
        additional_headers=fields,
        user_agent_header=None,
        compression=None,
        proxy=proxy,
        open_timeout=OPEN_SECONDS,
        close_timeout=_CLOSE_SECONDS,
        max_size=_LARGEST_MESSAGE,
        max_queue=_WAITING_MESSAGES,
        ssl=tls,
    )


def _refused(failures: Failures, refusal: InvalidStatus) -> tuple[ProviderError, bool]:
    response = refusal.response
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST:
        return failures.unusable(f"status {status} where a session was to be opened"), False
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.raw_items()]
    error, said = failures.refused(status, headers, bytes(response.body or b""))
    return error, status in _NOT_THIS_KEY and not said.about_content()


def _broken(name: str, what: str, status: int, code: str) -> ProviderError:
    return ProviderError(f"The provider '{name}' {what}.", provider=name, status=status, code=code)
