"""Opens connections: names, addresses, proxies and TLS."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from itertools import chain, zip_longest
from typing import Any, TypeVar

from gateway.upstream.connection import Connection
from gateway.upstream.errors import AddressRefused, ConnectFailed, ConnectTimeout
from gateway.upstream.guard import Guard
from gateway.upstream.origin import Origin
from gateway.upstream.proxies import Proxy
from gateway.upstream.tunnel import Tunnel

STAGGER = 0.25
"""Seconds after which the next address is tried beside the ones still pending (RFC 8305 §5)."""

_P = TypeVar("_P", bound=asyncio.Protocol)


async def dial(
    factory: Callable[[], Connection],
    origin: Origin,
    *,
    proxy: Proxy | None,
    tls: ssl.SSLContext | None,
    guard: Guard | None,
    deadline: float,
) -> Connection:
    """Open a connection to the origin, or to the proxy on the way to it, before `deadline` (loop time).

    The guard judges what the origin's name resolves to. Where that is left to a proxy, it judges only what is written
    as an address; but one that admits public addresses alone has a proxy connect to the address that was judged.

    Raises `ConnectTimeout` or `ConnectFailed`.
    """
    where = f"{origin} through proxy {proxy}" if proxy else str(origin)
    try:
        async with asyncio.timeout_at(deadline):
            if proxy is None:
                addresses = await resolve(origin.host, origin.port)
                if guard is not None:
                    guard.check(str(origin), addresses)
                return (await _connect(factory, addresses, origin.port, (tls, origin.host)))[1]
            if tls is None and guard is not None and guard.public_only:
                raise AddressRefused(
                    f"{where}: only https:// is sent through a proxy to where users may choose"
                )
            at = await _judged(origin, guard) if guard is not None else origin
            if tls is not None:
                return await _dial_through(factory, origin, proxy, tls, at)
            return (await _connect(factory, await resolve(proxy.host, proxy.port), proxy.port))[1]
    except TimeoutError as error:
        raise ConnectTimeout(f"connecting to {where} took too long") from error
    except OSError as error:
        raise ConnectFailed(f"cannot connect to {where}: {_plain(error)}") from error


async def _judged(origin: Origin, guard: Guard) -> Origin:
    """What a proxy is asked for: the origin by its name, or by the first of its addresses."""
    if not guard.public_only:
        if (address := _literal(origin.host)) is not None:
            guard.check(str(origin), [address])
        return origin
    addresses = await resolve(origin.host, origin.port)
    guard.check(str(origin), addresses)
    return Origin(origin.tls, addresses[0], origin.port)


async def _dial_through(
    factory: Callable[[], Connection], origin: Origin, proxy: Proxy, tls: ssl.SSLContext, at: Origin
) -> Connection:
    transport, tunnel = await _connect(Tunnel, await resolve(proxy.host, proxy.port), proxy.port)
    try:
        await tunnel.ask(at, proxy)
        connection = factory()
        connection.connection_made(transport)  # start_tls makes no such call
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(transport, connection, tls, server_hostname=origin.host)
        assert secured is not None
        connection.connection_made(secured)
    except BaseException:
        transport.abort()
        raise
    return connection


async def _connect(
    factory: Callable[[], _P],
    addresses: list[str],
    port: int,
    secured: tuple[ssl.SSLContext | None, str] = (None, ""),
) -> tuple[asyncio.Transport, _P]:
    """Connect to the first address that answers; with TLS to a host of that name."""
    tls, host = secured
    loop = asyncio.get_running_loop()

    def attempt(address: str) -> Coroutine[Any, Any, tuple[asyncio.Transport, _P]]:
        name = host if tls else None
        return loop.create_connection(factory, address, port, ssl=tls, server_hostname=name)

    if len(addresses) == 1:  # as usual
        return await attempt(addresses[0])
    return await _race(attempt, addresses)


async def _race(
    attempt: Callable[[str], Coroutine[Any, Any, tuple[asyncio.Transport, _P]]], waiting: list[str]
) -> tuple[asyncio.Transport, _P]:
    """Try addresses side by side, each a moment after the one before; keep the first connection."""
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[tuple[asyncio.Transport, _P]]] = set()
    try:
        while True:
            if waiting:
                running.add(loop.create_task(attempt(waiting.pop(0))))
            done, _ = await asyncio.wait(
                running, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                error = task.exception()
                if error is None:
                    running.discard(task)
                    return task.result()
                if not waiting and len(running) == 1:
                    raise error
                running.discard(task)
    finally:
        for task in running:
            task.cancel()
        for result in await asyncio.gather(*running, return_exceptions=True):
            if not isinstance(result, BaseException):
                result[0].abort()


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, families taking turns, in the resolver's order. Raises OSError."""
    if (address := _literal(host)) is not None:
        return [address]
    families: dict[int, list[str]] = {}
    for family, _, _, _, address in await lookup(host, port):
        families.setdefault(family, []).append(str(address[0]))
    turns = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in turns if address is not None]


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


async def lookup(host: str, port: int) -> Sequence[tuple[int, int, int, str, tuple[Any, ...]]]:
    """Ask the system's resolver."""
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _plain(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'the connection ended during the handshake'})"
    if isinstance(error, socket.gaierror):
        return f"the name does not resolve ({error.strerror})"
    if error.errno:
        return os.strerror(error.errno).lower()
    return "the connection ended during the handshake"
