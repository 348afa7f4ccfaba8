"""POST /v1/responses/input_tokens: an estimate, made here, so that it costs nothing and works for every provider."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.access import Access
from gateway.api.incoming import HttpIncoming
from gateway.api.responses.asked import put_to_provider, read_asked
from gateway.api.responses.keeper import Keeper
from gateway.wire.estimate import estimated_tokens, text_length


class InputTokensEndpoint:
    """Estimates the tokens of a request that is not carried out."""

    def __init__(self, *, access: Access, keeper: Keeper, max_body: int) -> None:
        self._access = access
        self._keeper = keeper
        self._max_body = max_body

    async def count(self, request: Request) -> Response:
        """Count what came before, the input, the instructions and the tools."""
        incoming = HttpIncoming(request.scope, request.receive, self._max_body)
        principal = await self._access.caller(incoming)
        body = await incoming.body()
        asked = msgspec.structs.replace(read_asked(body), background=None)
        previous = asked.previous_response_id
        chain = await self._keeper.chain(principal.tenant, previous) if previous else []
        body = put_to_provider(body, asked, chain)
        characters = sum(text_length(body, field) for field in ("input", "instructions", "tools"))
        count = estimated_tokens(characters)
        return JSONResponse(
            {"object": "response.input_tokens", "input_tokens": count},
            headers={"x-gateway-estimated": "true"},
        )
