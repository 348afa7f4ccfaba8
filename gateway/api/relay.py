"""Sending an answer on that is no call's."""

from __future__ import annotations

import asyncio
import contextlib

from gateway.api.reply import HttpReply
from gateway.types import Answer


async def relay(answer: Answer, reply: HttpReply) -> None:
    """Send an answer on as it comes, until its end or until the client has gone. Raises what breaks its stream."""
    if answer.stream is None:
        await reply.whole(answer)
        return
    gone = asyncio.get_running_loop().create_task(reply.gone())
    try:
        await reply.begin(answer)
        async for chunk in answer.stream:
            if gone.done():
                return
            await reply.write(chunk)
        await reply.end()
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        if answer.close is not None:
            answer.close()
