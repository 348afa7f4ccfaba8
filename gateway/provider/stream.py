"""The body of a streamed answer, as it arrives."""

from __future__ import annotations

from gateway.provider.failures import Failures
from gateway.push import Take
from gateway.upstream import Response, UpstreamError


class Stream:
    """Yields what the connection yields, and words its failures."""

    __slots__ = ("_failures", "_response")

    def __init__(self, response: Response, failures: Failures) -> None:
        self._response = response
        self._failures = failures

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._response)
        except UpstreamError as error:
            raise self._failures.broken(error) from error

    async def push(self, take: Take) -> None:
        """Give what is left to `take`."""
        try:
            await self._response.push(take)
        except UpstreamError as error:
            raise self._failures.broken(error) from error
