"""Several requests for one call, where a service makes but one thing at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from msgspec import Raw

from gateway.types import Answer, Attempt

_AT_ONCE: Final = 8
_decode_array = msgspec.json.Decoder(list[Raw]).decode


async def send_each(attempt: Attempt, send_one: Callable[[Attempt], Awaitable[Answer]]) -> Answer:
    """Send an attempt whose body is one request or an array of them; the answer is of the same kind.

    Where one of several fails, the others are not waited for, and its error is raised.
    """
    if not attempt.body.startswith(b"["):
        return await send_one(attempt)
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(body: Raw) -> Answer:
        async with free:
            return await send_one(msgspec.structs.replace(attempt, body=bytes(body)))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(body)) for body in _decode_array(attempt.body)]
    except ExceptionGroup as failed:  # the first of them is what a single request would have raised
        raise failed.exceptions[0] from None
    answers = [task.result() for task in tasks]
    answers[0].body = b"[" + b",".join(answer.body for answer in answers) + b"]"
    return answers[0]
