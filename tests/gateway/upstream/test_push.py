"""A body that is pushed: taken in the socket's callback while the taker keeps up, kept while it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.push import DONE, Later
from gateway.upstream import ConnectionLost, Limits

from .test_connection import Line

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Taker:
    """Takes chunks; those that hold an `s` it is slow to take, until `go_on`."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.waits = 0
        self.go_on = asyncio.Event()

    def __call__(self, data: bytes) -> Awaitable[None]:
        assert not self.waits, "nothing more may come before the wait is over"
        self.taken.append(data)
        return Later(self.wait) if b"s" in data else DONE

    async def wait(self) -> None:
        self.waits += 1
        await self.go_on.wait()
        self.waits -= 1


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_chunks_are_taken_without_a_turn_of_the_loop() -> None:
    line, taker = Line(), Taker()
    line.receive([HEAD + chunk(b"1")])
    pushing = asyncio.create_task(line.response.push(taker))
    await turns()
    line.receive([chunk(b"2"), chunk(b"3") + chunk(b"4")])
    assert taker.taken == [b"1", b"2", b"34"]
    assert line.response.buffered == 0
    line.receive([END])
    await pushing
    assert line.owner.released == 1


async def test_while_the_taker_waits_chunks_are_kept_and_the_socket_is_paused() -> None:
    line, taker = Line(Limits(read_ahead_bytes=10)), Taker()
    line.receive([HEAD])
    pushing = asyncio.create_task(line.response.push(taker))
    await turns()
    line.receive([chunk(b"slow")])
    await turns()
    line.receive([chunk(b"123456"), chunk(b"7890ab")])
    await turns()
    assert (taker.taken, line.wire.paused) == ([b"slow"], True)
    taker.go_on.set()
    await turns()
    assert (taker.taken, line.wire.paused) == ([b"slow", b"1234567890ab"], False)
    line.receive([chunk(b"c") + END])
    await pushing
    assert taker.taken[-1] == b"c"


@given(
    st.lists(st.lists(st.sampled_from([b"a", b"bb", b"s", b"xsy"]), min_size=1, max_size=3), max_size=8),
    st.data(),
)
async def test_all_arrives_in_order_however_slow_the_taker_is(
    packets: list[list[bytes]], data: st.DataObject
) -> None:
    line, taker = Line(), Taker()
    line.receive([HEAD])
    pushing = asyncio.create_task(line.response.push(taker))
    for packet in [*packets, []]:
        line.receive([b"".join(chunk(piece) for piece in packet) or END])
        if data.draw(st.booleans()):
            taker.go_on.set()
        await turns(data.draw(st.integers(0, 3)))
        taker.go_on.clear()
    taker.go_on.set()
    await pushing
    assert b"".join(taker.taken) == b"".join(piece for packet in packets for piece in packet)


async def test_what_came_before_a_cut_is_taken_before_the_error() -> None:
    line, taker = Line(), Taker()
    line.receive([HEAD])
    pushing = asyncio.create_task(line.response.push(taker))
    await turns()
    line.receive([chunk(b"slow"), chunk(b"more")])
    line.end()
    taker.go_on.set()
    with pytest.raises(ConnectionLost):
        await pushing
    assert taker.taken == [b"slow", b"more"]


@pytest.mark.parametrize("early", [True, False])
async def test_what_the_taker_raises_reaches_who_pushes(*, early: bool) -> None:
    line = Line()

    def take(_: bytes) -> Awaitable[None]:
        raise KeyError("mine")

    line.receive([HEAD, chunk(b"1")] if early else [HEAD])
    pushing = asyncio.create_task(line.response.push(take))
    await turns()
    line.receive([] if early else [chunk(b"1")])
    with pytest.raises(KeyError, match="mine"):
        await pushing
    line.receive([chunk(b"2")])
    assert not line.wire.aborted, "it is for the caller to close"
    line.response.close()
    assert line.wire.aborted


async def test_cancelling_drops_the_connection_and_nothing_more_is_taken() -> None:
    line, taker = Line(), Taker()
    line.receive([HEAD])
    pushing = asyncio.create_task(line.response.push(taker))
    await turns()
    pushing.cancel()
    line.receive([chunk(b"too late")])
    with pytest.raises(asyncio.CancelledError):
        await pushing
    assert taker.taken == []
    assert line.wire.aborted


async def test_pushing_goes_on_where_iterating_stopped() -> None:
    line, taker = Line(), Taker()
    line.receive([HEAD + chunk(b"1")])
    assert await anext(line.response) == b"1"
    line.receive([chunk(b"2") + END])
    await line.response.push(taker)
    assert taker.taken == [b"2"]
