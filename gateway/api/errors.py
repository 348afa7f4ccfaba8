"""Errors outside of calls: unknown routes, wrong methods, internal faults. Always JSON, never a traceback."""

from __future__ import annotations

import logging
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api import anthropic, gemini_models
from gateway.errors import GatewayError, InvalidRequest
from gateway.wire import gemini_errors, openai_errors
from gateway.wire.anthropic_messages import errors as anthropic_errors

log = logging.getLogger("gateway")


def response(error: GatewayError, request: Request | None = None) -> Response:
    """Shape an error as a response, in the words of the client that sent the request."""
    if request is not None and gemini_models.speaks_gemini(request):
        return _made(error, gemini_errors.error_body(error))
    if request is None or not anthropic.speaks_anthropic(request):
        return _made(error, openai_errors.error_body(error))
    error.request_id = request.scope["gateway.request_id"]
    return anthropic.named(_made(error, anthropic_errors.error_body(error)), request)


def _made(error: GatewayError, body: bytes) -> Response:
    made = Response(body, status_code=error.status, media_type="application/json")
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
    return response(refusal, request)


async def on_gateway_error(request: Request, error: Exception) -> Response:
    """Answer an error of the gateway's own that a plain route raised."""
    assert isinstance(error, GatewayError)
    return response(error, request)


async def on_fault(request: Request, error: Exception) -> Response:
    """Answer a fault nobody foresaw; its details go to the log only."""
    log.error("%s: internal error", request.scope.get("gateway.request_id"), exc_info=error)
    # Starlette raises the fault again once this is sent, upon which the server closes the connection.
    closes = [(b"connection", b"close")]
    return response(GatewayError("The gateway failed to process this request.", headers=closes), request)
