"""An answer that is no call's: sent on, or read whole."""

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


async def collected(answer: Answer, most: int) -> bytes:
    """Read the body of an answer; of a larger one than so many bytes only its start."""
    parts, size = [answer.body], 0
    try:
        if answer.stream is not None:
            async for chunk in answer.stream:
                parts.append(chunk)
                size += len(chunk)
                if size > most:
                    break
    finally:
        if answer.close is not None:
            answer.close()
    return b"".join(parts)
