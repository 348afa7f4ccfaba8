from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from gateway.errors import InvalidRequest
from gateway.small_body import small_body


def arriving(*pieces: bytes) -> Request:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Any:
        return messages.pop(0)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def test_a_body_that_just_fits_is_read_whole() -> None:
    assert await small_body(arriving(b"name=", b"ada"), 8) == b"name=ada"


async def test_a_larger_one_is_refused_before_all_of_it_has_come() -> None:
    request = arriving(b"name=", b"adal", b"never read")
    with pytest.raises(InvalidRequest, match="larger than the 8 bytes") as caught:
        await small_body(request, 8)
    assert (caught.value.status, caught.value.code) == (413, "request_too_large")
    assert len([chunk async for chunk in request.stream()]) == 2
