"""Bodies that are read whole, by routes of plugins that need no more than a form or a small object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from starlette.requests import Request


async def small_body(request: Request, most: int) -> bytes:
    """Read a body of at most so many bytes. Raises `InvalidRequest` (413) for a larger one."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise InvalidRequest(
                f"The request body is larger than the {most} bytes allowed.",
                status=413,
                code="request_too_large",
            )
    return bytes(body)
