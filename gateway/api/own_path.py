"""Requests for a path that the operator has declared: calls of which only the head is known."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from starlette.types import Receive, Scope, Send

from gateway.api.call import CallEndpoint
from gateway.api.reply import HttpReply
from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Answer, OwnPath
from gateway.wire import Given, Wire, multipart

FORWARDED: Final = frozenset(
    {
        b"accept",
        b"accept-language",
        b"anthropic-beta",
        b"anthropic-version",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-range",
        b"content-type",
        b"idempotency-key",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-unmodified-since",
        b"last-event-id",
        b"openai-beta",
        b"prefer",
        b"range",
    }
)
"""Headers of a client's that go on. Others are between client and gateway, or could choose another account."""


class _Named(Struct):
    model: str | None = None


_decode = msgspec.json.Decoder(_Named).decode


class OwnPathEndpoint(CallEndpoint):
    """Makes the call, and relays the answer as it is."""

    async def serve_path(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        given: Given,
        *,
        path: str,
        model: str | None,
        errors: Wire,
    ) -> None:
        """Answer one request. `model` is what the path names, if anything; `errors` words errors."""
        reply = RelayingReply(errors, receive, send)
        query = scope.get("query_string", b"").decode("latin-1")
        try:
            if not (query.isascii() and query.isprintable()) or " " in query or "#" in query:
                raise InvalidRequest("The query of this URL is not percent-encoded.", code="invalid_query")
            call = await self._call(scope, receive, given)
            own = OwnPath(
                method=scope["method"],
                path=path,
                query=query,
                headers=[header for header in scope["headers"] if header[0] in FORWARDED],
                model=model or _named(call.body, call.content_type),
            )
        except GatewayError as error:
            error.request_id = scope["gateway.request_id"]
            await reply.fail(error)
            return
        await self._pipeline.run(replace(call, own=own), reply)


class RelayingReply(HttpReply):
    """Sends an answer's own status and headers. When it breaks off, it is only cut."""

    __slots__ = ()

    async def begin(self, answer: Answer) -> None:
        """Send the head."""
        await self._start(answer.status, answer.headers)


def _named(body: bytes, content_type: str) -> str | None:
    """Find the model that a body names, for the caller's allow-list."""
    if multipart.is_form(content_type):
        return multipart.parse(body, content_type).text("model")
    try:
        return _decode(body).model
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
