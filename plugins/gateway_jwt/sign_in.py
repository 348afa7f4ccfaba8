"""Browser sign-in through an issuer: away to it, back with a code, and into a session."""

from __future__ import annotations

import hmac
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from starlette.responses import RedirectResponse
from starlette.routing import Route

from gateway.errors import GatewayError, InvalidRequest, PermissionDenied, Unavailable
from gateway.identity import Actor
from gateway.identity.cookies import local_path
from gateway.identity.people import Client
from gateway.small_body import small_body
from gateway.store.tickets import UNDER_WAY, Tickets
from gateway_jwt.code_flow import authorization_url, code_of, new_verifier, proof_of
from gateway_jwt.fetch import FetchFailed
from gateway_jwt.pages import HEADERS, failed, leaving
from gateway_jwt.token import Malformed
from gateway_jwt.verify import NotGood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from gateway.identity.people import Proof
    from gateway.plugin import Context
    from gateway_jwt.issuer import Issuer

_MINUTES: Final = 10
_SECONDS: Final = 60 * _MINUTES
_MAX_FORM: Final = 4096
_HOME: Final = "/account"


class OidcSignIn:
    """The button of one issuer, and the routes behind it.

    What must come back is kept in a ticket under `state`. A cookie holds the same state, so that only the browser that
    began a sign-in can end it (RFC 6749 §10.12), and it works once.
    """

    script: str | None = None

    def __init__(self, issuer: Issuer, context: Context, *, log: logging.Logger) -> None:
        self.name = f"oidc-{issuer.name}"
        self.title = issuer.config.title or issuer.name.capitalize()
        self.start = f"/sign-in/oidc/{issuer.name}"
        self._issuer = issuer
        self._sessions = context.sessions
        self._tickets = Tickets(context.database, "oidc", most=UNDER_WAY)
        self._log = log
        public = context.sessions.rules.public_url
        self._base = urlsplit(public).path
        self._redirect_uri = f"{public}{self.start}/callback"
        secure = public.startswith("https://")
        self._cookie = "__Host-gateway_oidc" if secure else "gateway_oidc"
        self._attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

    def routes(self) -> Sequence[Route]:
        """`GET` begins to sign in, `POST` to add this way to the account that is signed in, the last one is where it ends."""
        return [
            Route(self.start, self._sign_in, methods=["GET"]),
            Route(self.start, self._add, methods=["POST"]),
            Route(f"{self.start}/callback", self._callback, methods=["GET"]),
        ]

    async def _sign_in(self, request: Request) -> Response:
        query = request.query_params
        data = {"next": local_path(query.get("next"), _HOME), "invitation": query.get("invitation")}
        try:
            state, url = await self._begin(request, data)
        except GatewayError as error:
            return self._failed(error)
        return self._with_cookie(RedirectResponse(url, HTTPStatus.SEE_OTHER, headers=HEADERS), state)

    async def _add(self, request: Request) -> Response:
        try:
            visit = await self._sessions.visit(_headers(request), client=Client.of(request))
            if visit is None:
                raise PermissionDenied("Sign in first.", code="not_signed_in")
            form = await _form(request)
            visit.check(form.get("csrf_token"))
            data = {
                "next": local_path(form.get("next"), _HOME),
                "user": visit.principal.user,
                "session": visit.principal.session,
            }
            state, url = await self._begin(request, data)
        except GatewayError as error:
            return self._failed(error)
        response = self._with_cookie(leaving(url, self.title), state)
        response.raw_headers.extend(visit.headers)
        return response

    async def _begin(self, request: Request, data: dict[str, Any]) -> tuple[str, str]:
        """Note what is to come back; return the state, and where the browser goes.

        Raises `RateLimited`, `Unavailable`.
        """
        await self._sessions.begin(Client.of(request).address)
        state, nonce, verifier = new_verifier(), new_verifier(), new_verifier()
        try:
            url = await authorization_url(
                self._issuer, redirect_uri=self._redirect_uri, state=state, nonce=nonce, verifier=verifier
            )
        except FetchFailed as error:
            raise self._unavailable(error) from None
        data = {**data, "issuer": self._issuer.name, "nonce": nonce, "verifier": verifier}
        await self._tickets.issue(data, seconds=_SECONDS, token=state)
        return state, url

    async def _callback(self, request: Request) -> Response:
        try:
            data = await self._returned(request)
        except GatewayError as error:
            return self._failed(error)
        try:
            response = await self._ended(request, data)
        except GatewayError as error:
            response = self._failed(error)
        return self._with_cookie(response, None)

    async def _ended(self, request: Request, data: dict[str, Any]) -> Response:
        """End a sign-in: in a session, or with one more way to sign in. Raises `GatewayError`."""
        proof = await self._proof(request, data)
        response = RedirectResponse(self._base + data["next"], HTTPStatus.SEE_OTHER, headers=HEADERS)
        if "user" in data:
            await self._add_identity(proof, data, request)
        else:
            signed_in = await self._sessions.sign_in(
                proof, method="oidc", client=Client.of(request), invitation=data["invitation"]
            )
            response.raw_headers.extend(self._sessions.cookies.headers(signed_in))
        return response

    async def _returned(self, request: Request) -> dict[str, Any]:
        """What was noted when this browser set out. Raises `InvalidRequest` for any other browser, and a second time."""
        state, held = request.query_params.get("state", ""), request.cookies.get(self._cookie, "")
        data = None
        if state and hmac.compare_digest(state.encode(), held.encode()):
            data = await self._tickets.redeem(state)
        if data is None or data["issuer"] != self._issuer.name:
            raise InvalidRequest(
                f"This sign-in was not begun in this browser within the last {_MINUTES} minutes, or has ended already.",
                code="state_mismatch",
            )
        return data

    async def _proof(self, request: Request, data: dict[str, Any]) -> Proof:
        try:
            code = await code_of(self._issuer, request.query_params)
            return await proof_of(
                self._issuer,
                code,
                redirect_uri=self._redirect_uri,
                verifier=data["verifier"],
                nonce=data["nonce"],
            )
        except FetchFailed as error:
            raise self._unavailable(error) from None
        except (Malformed, NotGood) as error:
            self._log.warning("an ID token of %s was not accepted: %s", self._issuer.config.issuer, error)
            raise InvalidRequest("The issuer's answer could not be verified.", code="bad_id_token") from None

    async def _add_identity(self, proof: Proof, data: dict[str, Any], request: Request) -> None:
        """Add the identity, if the session that asked for it has not ended meanwhile."""
        user: str = data["user"]
        if data["session"] not in {session.id for session in await self._sessions.sessions_of(user)}:
            raise PermissionDenied("Your session has ended. Sign in first.", code="not_signed_in")
        actor = Actor(
            kind="user",
            id=user,
            request_id=request.scope.get("gateway.request_id"),
            address=Client.of(request).address,
        )
        await self._sessions.add_identity(user, proof, actor=actor)

    def _unavailable(self, error: FetchFailed) -> Unavailable:
        self._log.warning("sign-in through %s: %s", self._issuer.config.issuer, error)
        return Unavailable(f"{self.title} does not answer as it should. Try again later.")

    def _failed(self, error: GatewayError) -> Response:
        page = failed(error.status, error.message, f"{self._base}/sign-in")
        page.raw_headers.extend(error.headers)
        return page

    def _with_cookie(self, response: Response, state: str | None) -> Response:
        age = 0 if state is None else _SECONDS
        header = f"{self._cookie}={state or ''}; Max-Age={age}{self._attributes}"
        response.raw_headers.append((b"set-cookie", header.encode()))
        return response


def _headers(request: Request) -> dict[bytes, bytes]:
    return dict(request.scope["headers"])


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form. Raises `InvalidRequest` (413)."""
    body = await small_body(request, _MAX_FORM)
    return {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
