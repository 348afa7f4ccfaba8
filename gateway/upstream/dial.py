"""Opens connections: names, addresses, proxies and TLS."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Any, TypeVar

from gateway.upstream.connection import Connection
from gateway.upstream.errors import ConnectFailed, ConnectTimeout
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
    deadline: float,
) -> Connection:
    """Open a connection to the origin, or to the proxy on the way to it, before `deadline` (loop time).

    Raises `ConnectTimeout` or `ConnectFailed`.
    """
    where = f"{origin} through proxy {proxy}" if proxy else str(origin)
    try:
        async with asyncio.timeout_at(deadline):
            if proxy is None:
                return (await _connect(factory, origin.host, origin.port, tls))[1]
            if tls is None:
                return (await _connect(factory, proxy.host, proxy.port, None))[1]
            return await _dial_through(factory, origin, proxy, tls)
    except TimeoutError as error:
        raise ConnectTimeout(f"connecting to {where} took too long") from error
    except OSError as error:
        raise ConnectFailed(f"cannot connect to {where}: {_plain(error)}") from error


async def _dial_through(
    factory: Callable[[], Connection], origin: Origin, proxy: Proxy, tls: ssl.SSLContext
) -> Connection:
    transport, tunnel = await _connect(Tunnel, proxy.host, proxy.port, None)
    try:
        await tunnel.ask(origin, proxy)
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
    factory: Callable[[], _P], host: str, port: int, tls: ssl.SSLContext | None
) -> tuple[asyncio.Transport, _P]:
    """Connect to the first address that answers, both families side by side."""
    loop = asyncio.get_running_loop()

    async def attempt(address: str) -> tuple[asyncio.Transport, _P]:
        name = host if tls else None
        return await loop.create_connection(factory, address, port, ssl=tls, server_hostname=name)

    waiting = await _resolve(host, port)
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


async def _resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, families taking turns, in the resolver's order."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    families: dict[int, list[str]] = {}
    for family, _, _, _, address in await lookup(host, port):
        families.setdefault(family, []).append(str(address[0]))
    turns = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in turns if address is not None]


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
