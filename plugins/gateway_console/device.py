"""`gateway login`: a program asks, a person agrees with a browser, the program gets a session (RFC 8628)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, Response

from gateway.errors import AuthenticationFailed, InvalidRequest, PermissionDenied
from gateway.identity.devices import INTERVAL, SECONDS, Devices
from gateway.identity.people import Client
from gateway.store.tenants import MAX_ID
from gateway_console.forms import read_form
from gateway_console.tokens import shown

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.identity.devices import Waiting
    from gateway.identity.people import SignedIn
    from gateway_console.pages import Asked, Desk

PATH: Final = "/sign-in/device"
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_NO_STORE: Final = {"cache-control": "no-store"}
_WORDS: Final = {
    "authorization_pending": "Nobody has agreed yet. Ask again later.",
    "slow_down": "Ask less often: wait 5 seconds longer between two requests.",
    "access_denied": "The person has refused.",
    "expired_token": "The code is unknown, was used, or has expired. Begin again.",
}


async def begin(desk: Desk, request: Request) -> Response:
    """Give codes to a program (§3.2); `tenant` in its form says for whom it wants to act. Raises `InvalidRequest`."""
    tenant = (await read_form(request)).get("tenant") or None
    if tenant is not None and not (len(tenant) <= MAX_ID and tenant.isprintable()):
        raise InvalidRequest(f"The id of a tenant is at most {MAX_ID} printable characters.", param="tenant")
    codes = await _devices(desk).begin(Client.of(request), tenant=tenant)
    page = desk.sessions.rules.public_url + PATH
    return JSONResponse(
        {
            "device_code": codes.device_code,
            "user_code": codes.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={codes.user_code}",
            "expires_in": SECONDS,
            "interval": INTERVAL,
        },
        headers=_NO_STORE,
    )


async def token(desk: Desk, request: Request) -> Response:
    """The token endpoint: a device code, or a refresh token, becomes a pair of tokens (RFC 6749 §5)."""
    try:
        form = await read_form(request)
        match form.get("grant_type"):
            case "urn:ietf:params:oauth:grant-type:device_code":
                found = await _devices(desk).collect(form.get("device_code", ""), client=Client.of(request))
                return _refused(found, _WORDS[found]) if isinstance(found, str) else _granted(found)
            case "refresh_token":
                token = form.get("refresh_token", "")
                return _granted(await desk.sessions.refresh(token, client=Client.of(request)))
            case _:
                return _refused(
                    "unsupported_grant_type", f"Send {DEVICE_GRANT} or refresh_token as grant_type."
                )
    except (AuthenticationFailed, PermissionDenied) as error:
        return _refused("invalid_grant", error.message)
    except InvalidRequest as error:
        return _refused("invalid_request", error.message, status=error.status)


async def page(asked: Asked) -> Response:
    """Ask for the code; with one, show who wants to be let in."""
    code = asked.query.get("user_code", "")
    waiting = await _waiting(asked, code) if code else None
    unknown = bool(code) and waiting is None
    tenant = waiting.tenant if waiting and waiting.tenant else asked.principal.tenant
    return asked.render(
        "device.html", status=404 if unknown else 200, waiting=waiting, code=code, tenant=tenant
    )


async def decide(asked: Asked) -> Response:
    """Let the program in, or refuse it. Raises `InvalidRequest`, and `PermissionDenied` for another's tenant."""
    code, devices = asked.form.get("user_code", ""), _devices(asked.desk)
    waiting = await _waiting(asked, code)
    if waiting is None:
        raise InvalidRequest(asked.text("device.over"), status=410, code="code_over")
    agreed = asked.form.get("decision") == "allow"
    tenant = waiting.tenant or asked.principal.tenant
    if agreed and tenant not in asked.tenants:
        raise PermissionDenied(asked.text("device.no_member", tenant=tenant))
    user, session = (asked.user, asked.principal.session) if agreed else (None, None)
    if not await devices.decide(code, user=user, session=session, tenant=tenant):
        raise InvalidRequest(asked.text("device.over"), status=410, code="code_over")
    return asked.render("device_done.html", agreed=agreed)


async def _waiting(asked: Asked, code: str) -> Waiting | None:
    """Who waits under a code. Raises `RateLimited` when one address tries too many."""
    waiting = await _devices(asked.desk).waiting(code)
    if waiting is None:
        asked.desk.context.attempts.failed(asked.client.address)
    return waiting


def _devices(desk: Desk) -> Devices:
    return Devices(desk.database, desk.sessions)


def _granted(signed_in: SignedIn) -> Response:
    return JSONResponse(shown(signed_in), headers=_NO_STORE)


def _refused(error: str, description: str, *, status: int = 400) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status, headers=_NO_STORE)
