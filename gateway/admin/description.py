"""`/openapi.json`: the description of the admin API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from gateway.admin.endpoint import SIGNED_IN, Endpoint
from gateway.admin.openapi import describe
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Query


def described(endpoints: Sequence[Endpoint]) -> Endpoint:
    """Make the endpoint that describes those, and itself; the document is written once, when it is first asked for."""
    written: list[bytes] = []

    def write() -> bytes:
        return msgspec.json.encode(describe([*endpoints, endpoint]))

    async def document(_request: AdminRequest[Query, None]) -> Response:
        if not written:
            written.append(await asyncio.to_thread(write))  # long enough to keep calls waiting
        return Response(written[0], media_type="application/json")

    endpoint = Endpoint(
        method="GET",
        path="/openapi.json",
        permission=SIGNED_IN,
        handler=document,
        summary="Describe this API in OpenAPI 3.1",
        media="application/json",
    )
    return endpoint
