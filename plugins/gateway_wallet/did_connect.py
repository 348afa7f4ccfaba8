"""DID Connect, version 1: a DID Wallet signs in the browser that shows its QR code.

The browser asks for a token and looks how things stand; the wallet fetches the request and posts its answer. What the
wallet gets is always signed by the gateway, errors too. The session goes to the browser that began, and to no other.
"""

from __future__ import annotations

import io
import secrets
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote

import segno
from starlette.responses import JSONResponse, Response

from gateway.errors import AuthenticationFailed, GatewayError, InvalidRequest, PermissionDenied
from gateway.identity.people import Proof
from gateway.store.tickets import UNDER_WAY, Tickets
from gateway_wallet.abt import App, verified
from gateway_wallet.compact import LONGEST
from gateway_wallet.desk import SECONDS, bounded, json_object, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from gateway.plugin import Context
    from gateway_wallet.config import WalletConfig
    from gateway_wallet.desk import Desk

_WAY: Final = "did-connect"
_PATH: Final = "/api/did/login"
_TOKEN: Final = "_t_"  # noqa: S105 - the name of a parameter
_TOKEN_BYTES: Final = 16
_CHALLENGE_BYTES: Final = 16
_OPEN: Final = frozenset({"created", "scanned", "busy"})
_ANYWHERE: Final = {"access-control-allow-origin": "*", "cache-control": "no-store"}
"""Wallets that are web pages ask from origins of their own; they send no cookies."""

_PREFLIGHT: Final = {
    **_ANYWHERE,
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "content-type",
}


class DidConnect:
    """The routes below `/api/did/login`, where wallets look for them."""

    def __init__(self, context: Context, desk: Desk, config: WalletConfig) -> None:
        if config.app_secret is None:
            raise ValueError("DID Connect needs app_secret")
        self._app = App(config.app_secret.reveal())
        self._tickets = Tickets(context.database, _WAY, most=UNDER_WAY)
        self._answered = Tickets(context.database, f"{_WAY}-answer")
        self._desk = desk
        self._info = {
            "name": config.app_name,
            "description": config.app_description or config.app_name,
            "icon": config.app_icon or f"{desk.public_url}/sign-in/wallet/icon.svg",
            "link": desk.public_url,
            "path": "https://abtwallet.io/i/",
            "publisher": self._app.did,
        }
        self.routes: list[BaseRoute] = [
            desk.route(f"{_PATH}/token", self.token, "GET", "POST"),
            desk.route(f"{_PATH}/status", self.status, "GET"),
            desk.route(f"{_PATH}/timeout", self.timeout, "GET"),
            desk.route(f"{_PATH}/qr", self.qr, "GET"),
            desk.route(f"{_PATH}/auth", self.auth, "GET", "POST", "OPTIONS"),
        ]

    async def token(self, request: Request) -> Response:
        """Begin: answer the browser with a token, and the address that the wallet is to open."""
        body = await self._desk.body(request) if request.method == "POST" else {}
        await self._desk.begin(request)
        browser, (name, cookie) = self._desk.bind(_WAY)
        token = await self._tickets.issue(
            {
                "status": "created",
                "challenge": secrets.token_hex(_CHALLENGE_BYTES).upper(),
                "browser": browser,
                "user": await self._desk.user(request, body),
                "invitation": text(body, "invitation") if body.get("invitation") else None,
            },
            seconds=SECONDS,
            token=secrets.token_hex(_TOKEN_BYTES),
        )
        return JSONResponse(
            {
                "token": token,
                "status": "created",
                "url": self._deep_link(token),
                "appInfo": self._info,
                "memberAppInfo": None,
                "extra": {},
            },
            headers={"cache-control": "no-store", name: cookie},
        )

    async def status(self, request: Request) -> Response:
        """Tell the browser that began how things stand; when the wallet has signed, this answer brings the session."""
        token, state = await self._begun(request)
        if state["status"] != "succeed":
            return _plain({key: state[key] for key in ("status", "error") if key in state})
        if await self._tickets.redeem(token) is None:
            raise _unknown()
        did: str = state["did"]
        address = did.removeprefix("did:abt:")
        proof = Proof(kind="did", subject=did, label=f"{address[:8]}…{address[-4:]}")
        return await self._desk.finish(
            request, proof, method=_WAY, user=state["user"], invitation=state["invitation"]
        )

    async def timeout(self, request: Request) -> Response:
        """Give up: the browser does not wait any longer."""
        token, _ = await self._begun(request)
        await self._tickets.redeem(token)
        return _plain({"token": token})

    async def qr(self, request: Request) -> Response:
        """Draw the address that the wallet is to open as SVG; dark on white, whatever the page looks like."""
        token = request.query_params.get(_TOKEN, "")
        if await self._tickets.look(token) is None:
            raise _unknown()
        picture = io.BytesIO()
        segno.make_qr(self._deep_link(token), error="m").save(
            picture, kind="svg", border=4, dark="#000", light="#fff", omitsize=True, xmldecl=False
        )
        return Response(picture.getvalue(), media_type="image/svg+xml", headers={"cache-control": "no-store"})

    async def auth(self, request: Request) -> Response:
        """Talk to the wallet: hand out the request (GET), or take its answer (POST)."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        try:
            token = request.query_params.get(_TOKEN, "")
            state: dict[str, Any] | None = await self._tickets.look(token)
            if state is None or state["status"] not in _OPEN:
                raise _unknown()
            if request.method == "POST":
                return await self._take(request, token, state)
            await self._tickets.change(token, {**state, "status": "scanned"})
        except GatewayError as error:
            return self._signed({"status": "error", "errorMessage": error.message})
        return self._signed(
            {
                "action": "responseAuth",
                "challenge": state["challenge"],
                "chainInfo": {"host": "none", "id": "none", "type": "arcblock"},
                "requestedClaims": [
                    {
                        "type": "authPrincipal",
                        "description": self._info["description"],
                        "meta": {},
                        "mfaCode": [],
                        "supervised": True,
                        "target": "",
                    }
                ],
                "url": f"{self._desk.public_url}{_PATH}/auth?{_TOKEN}={token}",
            }
        )

    async def _take(self, request: Request, token: str, state: dict[str, Any]) -> Response:
        body = await _fields(request)
        did, said = verified(text(body, "userInfo", longest=LONGEST), text(body, "userPk"), now=time.time())
        action = said.get("action", "responseAuth")
        if said.get("challenge") != state["challenge"]:
            raise AuthenticationFailed("The wallet has answered another challenge.", code="challenge_unknown")
        if action == "busy":
            await self._tickets.change(token, {**state, "status": "busy"})
            return self._signed({"status": "ok", "response": {}})
        # Of two answers at the same moment one counts: nobody takes another's place.
        if not await self._answered.spend(f"{token} {state['challenge']}", seconds=2 * SECONDS):
            raise _unknown()
        if action != "responseAuth":
            await self._tickets.change(
                token, {**state, "status": "error", "error": "You have declined in your wallet."}
            )
            return self._signed({"status": "ok", "response": {}})
        await self._tickets.change(token, {**state, "status": "succeed", "did": did})
        return self._signed({"status": "ok", "response": {}})

    async def _begun(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return what the browser that asks has begun. Raises `InvalidRequest`, `PermissionDenied`."""
        token = request.query_params.get(_TOKEN, "")
        state: dict[str, Any] | None = await self._tickets.look(token)
        if state is None:
            raise _unknown()
        if not self._desk.is_from(request, _WAY, state["browser"]):
            raise PermissionDenied("This sign-in was begun in another browser.", code="wrong_browser")
        return token, state

    def _deep_link(self, token: str) -> str:
        url = quote(f"{self._desk.public_url}{_PATH}/auth?{_TOKEN}={token}", safe="")
        # Wallets decode it twice.
        return f"https://abtwallet.io/i/?action=requestAuth&url={quote(url, safe='')}"

    def _signed(self, payload: Mapping[str, Any]) -> Response:
        signed = self._app.sign({"appInfo": self._info, **payload})
        return JSONResponse({"appPk": self._app.public_key, "authInfo": signed}, headers=_ANYWHERE)


async def _fields(request: Request) -> Mapping[str, Any]:
    """Read what a wallet posts, as JSON or as a form. Raises `InvalidRequest`."""
    data = await bounded(request)
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            return dict(parse_qsl(data.decode("ascii")))
        except ValueError:
            raise InvalidRequest("This is not a form that can be read.") from None
    return json_object(data)


def _unknown() -> InvalidRequest:
    return InvalidRequest(
        "This sign-in took too long, or is over. Begin again in your browser.", code="token_unknown"
    )


def _plain(answer: Mapping[str, Any]) -> Response:
    return JSONResponse(dict(answer), headers={"cache-control": "no-store"})
