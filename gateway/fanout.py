"""Sending a request several times at once, and reading the streams that come back as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from gateway.types import Answer

_AHEAD = 4
"""Chunks of each stream that may wait for the client."""


async def gather(send: Callable[[], Awaitable[Answer]], copies: int) -> list[Answer]:
    """Send so many times at once; all answers, or the first failure, after which no connection stays open."""
    tasks = [asyncio.ensure_future(send()) for _ in range(copies)]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(answer, Answer) and answer.close is not None:
                answer.close()
        raise


class Streams:
    """Several streamed answers as one stream of chunks, as they come; `speaking` is whose chunk the last one was.

    Iterating raises what breaks any of them.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = answers
        self._left = len(answers)
        self._queue: asyncio.Queue[tuple[int, bytes | Exception | None]] = asyncio.Queue(_AHEAD * self._left)
        self._tasks = [asyncio.ensure_future(self._pump(n, answer)) for n, answer in enumerate(answers)]
        self.speaking = 0

    def __aiter__(self) -> Streams:
        return self

    async def __anext__(self) -> bytes:
        while self._left:
            self.speaking, chunk = await self._queue.get()
            if isinstance(chunk, bytes):
                return chunk
            if chunk is not None:
                raise chunk
            self._left -= 1
        raise StopAsyncIteration

    def close(self) -> None:
        """Let go of all connections. May be called at any time, and more than once."""
        for task in self._tasks:
            task.cancel()
        for answer in self._answers:
            if answer.close is not None:
                answer.close()

    async def _pump(self, number: int, answer: Answer) -> None:
        assert answer.stream is not None
        try:
            async for chunk in answer.stream:
                await self._queue.put((number, chunk))
        except Exception as error:  # noqa: BLE001 - raised again where the streams are read
            await self._queue.put((number, error))
        else:
            await self._queue.put((number, None))
