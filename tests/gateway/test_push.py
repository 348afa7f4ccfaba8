"""Handing on a stream, whether its source pushes or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

from gateway.push import DONE, Later, push


async def test_awaiting_what_is_done_does_not_wait() -> None:
    turned = False

    def turn() -> None:
        nonlocal turned
        turned = True

    asyncio.get_running_loop().call_soon(turn)
    await DONE
    await DONE
    assert not turned


async def test_work_for_later_begins_when_it_is_awaited_and_may_be_left_alone() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    later = Later(work)
    Later(work)
    await asyncio.sleep(0)
    assert done == []
    await later
    assert done == [1]


async def test_a_plain_iterator_waits_for_whoever_takes() -> None:
    happened: list[object] = []

    async def stream() -> AsyncIterator[bytes]:
        for number in range(3):
            happened.append(number)
            yield b"%d" % number

    async def slowly() -> None:
        await asyncio.sleep(0)
        happened.append("waited")

    def take(chunk: bytes) -> Awaitable[None]:
        happened.append(chunk)
        return Later(slowly) if chunk == b"1" else DONE

    await push(stream(), take)
    assert happened == [0, b"0", 1, b"1", "waited", 2, b"2"]
