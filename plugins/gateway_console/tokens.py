"""The same for programs: tokens are refreshed and given back with JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse, Response

from gateway.errors import AuthenticationFailed, InvalidRequest
from gateway.identity import Actor
from gateway.identity.people import Client
from gateway.identity.sessions import CSRF_HEADER
from gateway.small_body import small_body
from gateway_console.forms import MAX_BYTES

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.identity.people import SignedIn
    from gateway_console.pages import Desk

_NO_STORE = {"cache-control": "no-store"}
_BEARER = "bearer "


class Renewal(msgspec.Struct):
    """The body of a request for new tokens."""

    refresh_token: str


async def refresh(desk: Desk, request: Request) -> Response:
    """Give new tokens for the refresh token in the body; a browser's script sends none, and gets new cookies.

    Raises `AuthenticationFailed`, `InvalidRequest`, and `PermissionDenied` for a browser's request without
    `x-csrf-token`.
    """
    body = await small_body(request, MAX_BYTES)
    client = Client.of(request)
    if not body:
        headers: dict[bytes, bytes] = dict(request.scope["headers"])
        visitor = await desk.sessions.visit(headers, client=client)
        if visitor is None:
            raise AuthenticationFailed("The session has ended. Sign in again.", code="session_ended")
        visitor.check(headers.get(CSRF_HEADER, b"").decode("latin-1"))
        response = Response(status_code=204, headers=_NO_STORE)
        response.raw_headers.extend(visitor.headers)
        return response
    try:
        token = msgspec.json.decode(body, type=Renewal).refresh_token
    except msgspec.DecodeError as error:
        raise InvalidRequest(f'Send {{"refresh_token": "gr_…"}}: {error}.') from error
    try:
        signed_in = await desk.sessions.refresh(token, client=client)
    except AuthenticationFailed:
        desk.context.attempts.failed(client.address)
        raise
    return JSONResponse(shown(signed_in), headers=_NO_STORE)


async def out(desk: Desk, request: Request) -> Response:
    """End the session of a bearer token. Raises `AuthenticationFailed`."""
    value = request.headers.get("authorization", "")
    if value[: len(_BEARER)].lower() != _BEARER:
        raise AuthenticationFailed("Send the session's access token: 'Authorization: Bearer gs_…'.")
    principal = await desk.sessions.holder(value[len(_BEARER) :].strip())
    user, session = principal.user or "", principal.session or ""
    actor = Actor(
        kind="user",
        id=user,
        request_id=request.scope.get("gateway.request_id"),
        address=Client.of(request).address,
    )
    await desk.sessions.revoke(session, user=user, actor=actor)
    return Response(status_code=204, headers=_NO_STORE)


def shown(signed_in: SignedIn) -> dict[str, Any]:
    """A new pair of tokens, in the words of RFC 6749 §5.1."""
    session = signed_in.session
    return {
        "access_token": signed_in.access,
        "token_type": "Bearer",
        "expires_in": round(session.access_expires_at - session.last_seen_at),
        "refresh_token": signed_in.refresh,
        "session": session.id,
        "tenant": session.tenant,
    }
