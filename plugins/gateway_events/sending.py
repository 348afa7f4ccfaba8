"""Sending events: each by itself, some at once, or in batches that are split where one event spoils them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from gateway.errors import Undelivered

_AT_ONCE: Final = 8
_BEGIN_SECONDS: Final = 12.0
"""After so long no further request is begun, so that what was sent is noted before the gateway gives the batch up."""


class Away(Exception):
    """The far side takes nothing at present. Says why; the URL's path and query stay out of it."""


class Refused(Exception):
    """The far side will not take what it was sent, however often."""


class Failed(Exception):
    """The far side did not take what it was sent; perhaps it does later."""


async def each(
    events: Sequence[Mapping[str, Any]],
    send: Callable[[Mapping[str, Any]], Awaitable[None]],
    *,
    at_once: int = _AT_ONCE,
) -> None:
    """Send events each by itself, some at once. What `send` raises beside `Failed` and `Refused` says that it is away.

    Raises `Undelivered`, or what `send` raised when none was taken and none found at fault.
    """
    until = time.monotonic() + _BEGIN_SECONDS
    failed: dict[str, str] = {}
    refused: dict[str, str] = {}
    left: set[str] = set()
    away: list[Exception] = []
    waiting = iter(events)

    async def work() -> None:
        for event in waiting:
            if away or time.monotonic() > until:
                left.add(event["id"])
                continue
            try:
                await send(event)
            except Failed as error:
                failed[event["id"]] = str(error)
            except Refused as error:
                refused[event["id"]] = str(error)
            except Exception as error:  # noqa: BLE001 - raised again below, or the event comes again
                away.append(error)
                left.add(event["id"])

    await asyncio.gather(*(work() for _ in range(min(at_once, len(events)))))
    if away and len(left) == len(events):
        raise away[0]
    if failed or refused or left:
        raise Undelivered(failed=failed, refused=refused, left=left)


async def split(
    events: Sequence[Mapping[str, Any]], send: Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]
) -> None:
    """Send a batch; where it is `Refused`, halve it until the events at fault are found.

    What was taken may be sent again, by the same id. Raises `Undelivered`, and what else `send` raises.
    """
    refused = await _halved(events, send)
    if refused:
        raise Undelivered(refused=refused)


async def _halved(
    events: Sequence[Mapping[str, Any]], send: Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]
) -> dict[str, str]:
    try:
        await send(events)
    except Refused as error:
        if len(events) == 1:
            return {events[0]["id"]: str(error)}
        middle = len(events) // 2
        return {**await _halved(events[:middle], send), **await _halved(events[middle:], send)}
    return {}
