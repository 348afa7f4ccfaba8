"""The body of a streamed answer, as it arrives."""

from __future__ import annotations

from gateway.upstream import Response, UpstreamError
from gateway_openai.failures import Failures


class Stream:
    """Yields what the connection yields, and words its failures."""

    __slots__ = ("_failures", "_next")

    def __init__(self, response: Response, failures: Failures) -> None:
        self._next = aiter(response).__anext__
        self._failures = failures

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._next()
        except UpstreamError as error:
            raise self._failures.broken(error) from error
