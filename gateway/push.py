"""Handing on a stream chunk by chunk, at once where nobody has to wait.

To wake a task for every chunk costs more than all that is done with the chunk. So a source may call `take` straight from
its socket's callback; what `take` returns says whether there is anything to wait for, and only then a task does that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, Protocol, TypeAlias, cast, final


@final
class Done:
    """What there is to wait for when all is done already: awaiting it does nothing, and neither does leaving it."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        """Do not wait."""
        yield from ()


DONE: Final = Done()


@final
class Later:
    """Work that begins when this is awaited. Unlike a coroutine, it may be left alone."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, Any, None]:
        """Do the work."""
        return self._work().__await__()


Take: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Takes a chunk. Unless it returns `DONE`, what it returns is to be awaited before the next one."""


class Pushes(Protocol):
    """A stream that can hand on its chunks by itself."""

    async def push(self, take: Take) -> None:
        """Give all chunks that are left to `take`, in order; return at the end.

        Raises what breaks the stream, as iterating over it does, and what `take` raises.
        """
        ...


def push(stream: AsyncIterator[bytes], take: Take) -> Awaitable[None]:
    """Give all chunks of any stream to `take`; without a frame of its own while a stream does that by itself."""
    if hasattr(stream, "push"):  # to ask a Protocol costs as much as handing on twenty chunks
        return cast("Pushes", stream).push(take)
    return _pull(stream, take)


async def _pull(stream: AsyncIterator[bytes], take: Take) -> None:
    async for chunk in stream:
        waiting = take(chunk)
        if waiting is not DONE:
            await waiting
