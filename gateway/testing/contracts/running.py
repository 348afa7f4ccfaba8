"""Runs a test that is a coroutine, whichever plugins for pytest its author has or has not installed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
SelfT = TypeVar("SelfT")

SECONDS = 90
"""A test that takes longer hangs."""


def in_event_loop(
    test: Callable[Concatenate[SelfT, P], Awaitable[None]],
) -> Callable[Concatenate[SelfT, P], None]:
    """Run an async test method in an event loop of its own; fail it when it hangs."""

    @functools.wraps(test)
    def run(self: SelfT, *args: P.args, **kwargs: P.kwargs) -> None:
        async def within_time() -> None:
            async with asyncio.timeout(SECONDS):
                await test(self, *args, **kwargs)

        asyncio.run(within_time())

    return run
