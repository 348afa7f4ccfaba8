"""Errors outside of calls: unknown routes, wrong methods, internal faults. Always JSON, never a traceback."""

from __future__ import annotations

import logging
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError, InvalidRequest
from gateway.wire.openai_common import error_body

log = logging.getLogger("gateway")


def response(error: GatewayError) -> Response:
    """Shape an error as a response."""
    made = Response(error_body(error), status_code=error.status, media_type="application/json")
    made.raw_headers.extend(error.headers)
    return made


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer Starlette's own refusals: no such route, or not with this method."""
    assert isinstance(error, HTTPException)
    path, method = request.scope["path"], request.method
    if error.status_code == HTTPStatus.NOT_FOUND:
        refusal = InvalidRequest(f"Unknown request URL: {method} {path}.", status=404, code="unknown_url")
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        refusal = InvalidRequest(
            f"{method} is not allowed for {path}. Allowed: {allowed}.",
            status=405,
            code="method_not_allowed",
            headers=[(b"allow", allowed.encode())],
        )
    else:
        refusal = InvalidRequest(str(error.detail), status=error.status_code)
    return response(refusal)


async def on_gateway_error(_request: Request, error: Exception) -> Response:
    """Answer an error of the gateway's own that a plain route raised."""
    assert isinstance(error, GatewayError)
    return response(error)


async def on_fault(request: Request, error: Exception) -> Response:
    """Answer a fault nobody foresaw; its details go to the log only."""
    log.error("%s: internal error", request.scope.get("gateway.request_id"), exc_info=error)
    # Starlette raises the fault again once this is sent, upon which the server closes the connection.
    closes = [(b"connection", b"close")]
    return response(GatewayError("The gateway failed to process this request.", headers=closes))
