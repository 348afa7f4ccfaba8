"""Names, addresses and refusals."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from gateway.upstream import Client, ConnectFailed, ConnectTimeout, Timeouts

from .server import closing, echo, serve

Found = list[tuple[int, int, int, str, tuple[str, int]]]


async def _ask(client: Client, url: str) -> bytes:
    return await (await client.send(client.prepare("POST", url), b"hello")).read()


async def test_an_ipv6_literal() -> None:
    async with serve(echo, host="::1") as server, closing(Client()) as client:
        assert await _ask(client, server.url(host="[::1]")) == b"hello"
        assert b"host: [::1]:%d\r\n" % server.port in server.requests[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_name_with_addresses_of_both_families(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "::1", "127.0.0.1")
    async with serve(echo, host=host) as server, closing(Client()) as client:
        assert await _ask(client, server.url(host="both.example")) == b"hello"


async def test_an_address_that_does_not_answer_does_not_hold_the_next_one_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    with socket.socket() as silent, socket.socket() as filler, socket.socket() as other:
        async with serve(echo) as server, closing(Client()) as client:
            silent.bind(("127.0.0.2", server.port))
            silent.listen(0)
            for sock in (filler, other):  # a full backlog drops further SYNs
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.2", server.port))
            assert await _ask(client, server.url(host="slow.example")) == b"hello"


@pytest.mark.parametrize("loser", ["is cancelled", "has connected"])
async def test_of_two_addresses_that_answer_at_once_one_is_kept(
    loser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, "127.0.0.1", "127.0.0.1")
    monkeypatch.setattr("gateway.upstream.dial.STAGGER", 0)
    wait = asyncio.wait

    async def wait_for_both(running: set[asyncio.Task[object]], **options: Any) -> object:
        return await wait(running, **({} if len(running) == 2 else options))

    if loser == "has connected":
        monkeypatch.setattr(asyncio, "wait", wait_for_both)
    async with serve(echo) as server, closing(Client()) as client:
        for _ in range(5):
            client._pools.clear()
            prepared = client.prepare("POST", server.url(host="both.example"))
            assert await (await client.send(prepared, b"hello")).read() == b"hello"
            await server.until_open(1)
            await prepared.pool.close()
            await server.until_open(0)
        assert server.accepted > 5


async def test_a_connect_that_takes_too_long() -> None:
    with socket.socket() as silent, socket.socket() as filler, socket.socket() as other:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for sock in (filler, other):
            sock.setblocking(False)
            sock.connect_ex(silent.getsockname())
        port = silent.getsockname()[1]
        async with closing(Client(timeouts=Timeouts(connect=0.2))) as client:
            prepared = client.prepare("POST", f"http://127.0.0.1:{port}/")
            with pytest.raises(
                ConnectTimeout, match=rf"connecting to 127.0.0.1:{port} took too long"
            ) as caught:
                await client.send(prepared)
            assert not caught.value.sent
            assert prepared.pool._size == 0


async def test_cancelling_a_connect_frees_its_place() -> None:
    with socket.socket() as silent, socket.socket() as filler, socket.socket() as other:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for sock in (filler, other):
            sock.setblocking(False)
            sock.connect_ex(silent.getsockname())
        async with closing(Client()) as client:
            prepared = client.prepare("POST", f"http://127.0.0.1:{silent.getsockname()[1]}/")
            task = asyncio.ensure_future(client.send(prepared))
            while prepared.pool._size == 0:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert prepared.pool._size == 0


async def test_a_refusal_says_so() -> None:
    async with serve(echo) as server:
        url = server.url("/path?key=secret")
    async with closing(Client()) as client:
        with pytest.raises(ConnectFailed) as caught:
            await _ask(client, url)
        assert str(caught.value) == f"cannot connect to 127.0.0.1:{server.port}: connection refused"
        assert not caught.value.sent


async def test_an_unknown_name_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_args: object, **_options: object) -> Found:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("gateway.upstream.dial.lookup", getaddrinfo)
    async with closing(Client()) as client:
        with pytest.raises(ConnectFailed, match=r"nowhere.invalid:80: the name does not resolve \(Name or"):
            await _ask(client, "http://nowhere.invalid/")


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name have these addresses."""

    async def getaddrinfo(_host: str, port: int) -> Found:
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in address], socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr("gateway.upstream.dial.lookup", getaddrinfo)
