"""How a page is asked for and answered: who visits, in which language, with which form; and what when it goes wrong."""

from __future__ import annotations

import functools
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import QueryParams
from starlette.responses import RedirectResponse, Response

from gateway.errors import GatewayError, PermissionDenied
from gateway.identity import Actor
from gateway.identity.cookies import local_path
from gateway.identity.people import Client, Visitor
from gateway.store.memberships import roles_of
from gateway.store.tickets import Tickets
from gateway.store.users import get_user
from gateway_console.forms import read_form
from gateway_console.languages import COOKIE as LANGUAGE_COOKIE
from gateway_console.languages import Language, Languages
from gateway_console.static import Files

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.plugin import Context
    from gateway.store import Database
    from gateway.types import Principal
    from gateway_console.drawing import Drawing

log = logging.getLogger("gateway.plugin.service.console")

HOME: Final = "/account"
SIGN_IN: Final = "/sign-in"
CSRF_FIELD: Final = "csrf_token"

_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_FORM_SECONDS: Final = 3600
_CLIENT_ERROR: Final = 500

Page: TypeAlias = Callable[["Asked"], Awaitable[Response]]
"""Answers one page. Raises `GatewayError`s, which are shown on a page of their own."""


class Desk:
    """What all pages share."""

    def __init__(self, context: Context, title: str) -> None:
        self.context = context
        self.sessions = context.sessions
        self.title = title
        secure = urlsplit(context.sessions.rules.public_url).scheme == "https"
        self.form_cookie = "__Host-gateway_form" if secure else "gateway_form"
        self.attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
        self.files = Files()
        self.languages = Languages()
        self.used_forms = Tickets(context.database, "console-form")

    @functools.cached_property
    def drawing(self) -> Drawing:
        """Draws the pages."""
        from gateway_console.drawing import Drawing  # noqa: PLC0415 - Jinja is imported with the first page

        return Drawing(self.files)

    @property
    def database(self) -> Database:
        """The gateway's."""
        return self.context.database

    def endpoint(self, page: Page, *, signed_in: bool) -> Callable[[Request], Awaitable[Response]]:
        """Answer requests with a page: those of people who are not signed in are led to the sign-in where that matters."""

        async def answer(request: Request) -> Response:
            asked = Asked(self, request)
            try:
                response = await asked.answered(page, signed_in=signed_in)
            except GatewayError as error:
                if error.status >= _CLIENT_ERROR:
                    log.warning("%s %s: %s", request.method, request.url.path, error)
                response = asked.render(
                    "error.html", status=error.status, code=error.code, error=error.message
                )
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            response.raw_headers.extend(asked.cookies)
            return response

        return answer


class Asked:
    """One request for a page."""

    def __init__(self, desk: Desk, request: Request) -> None:
        self.desk = desk
        self.request = request
        self.query: QueryParams = request.query_params
        self.base: str = request.scope.get("root_path", "")
        self.path: str = request.scope["path"].removeprefix(self.base)
        self.language: Language = desk.languages.choose(
            request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language")
        )
        self.client = Client.of(request)
        self.form = QueryParams()
        self.visitor: Visitor | None = None
        self.name = ""
        """Of who is signed in, for people."""
        self.email: str | None = None
        self.tenants: list[str] = []
        """Which they are members of."""
        self.cookies: list[tuple[bytes, bytes]] = []
        self._csrf = ""

    async def answered(self, page: Page, *, signed_in: bool) -> Response:
        """Find out who asks, check what they sent, and answer. Raises `GatewayError`."""
        desk = self.desk
        headers: dict[bytes, bytes] = dict(self.request.scope["headers"])
        self.visitor = await desk.sessions.visit(headers, client=self.client)
        if self.visitor is not None:
            self.cookies += self.visitor.headers
            self._csrf = self.visitor.csrf
            await self._get_to_know(self.visitor.principal)
        elif signed_in:
            return self.redirect(SIGN_IN, next=self.here)
        else:
            self._csrf = self.request.cookies.get(desk.form_cookie) or self._new_form_token()
        if self.request.method == "POST":
            self.form = await read_form(self.request)
            self._check_form()
        return await page(self)

    @property
    def principal(self) -> Principal:
        """Who is signed in; for pages of people who are."""
        if self.visitor is None:
            raise PermissionDenied("Sign in first.", code="not_signed_in")
        return self.visitor.principal

    @property
    def user(self) -> str:
        """The id of who is signed in."""
        return self.principal.user or ""

    @property
    def actor(self) -> Actor:
        """As whom they are written to the audit log."""
        return Actor(
            kind="user",
            id=self.user,
            request_id=self.request.scope.get("gateway.request_id"),
            address=self.client.address,
        )

    @property
    def next(self) -> str:
        """Where a sign-in is to lead, below the mount point."""
        return local_path(self.query.get("next") or self.form.get("next"), HOME)

    @property
    def here(self) -> str:
        """The page that is looked at, below the mount point; the account for what was sent."""
        if self.request.method != "GET":
            return HOME
        return f"{self.path}?{self.query}" if self.query else self.path

    def text(self, key: str, **values: Any) -> str:
        """A text of the catalogue."""
        return self.language.text(key, **values)

    def render(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Draw a page."""
        return Response(
            self.desk.drawing.draw(self, template, {**values, "status": status}),
            status,
            media_type="text/html; charset=utf-8",
        )

    def redirect(self, path: str, **query: str) -> Response:
        """Lead to another page, below the mount point. `done` names a text that it then shows."""
        return RedirectResponse(self.base + path + (f"?{urlencode(query)}" if query else ""), 303)

    async def once(self) -> bool:
        """Whether the form is sent for the first time: one that is sent again, by a reload, does nothing."""
        return await self.desk.used_forms.spend(self.form.get("form", ""), seconds=_FORM_SECONDS)

    @property
    def csrf(self) -> str:
        """What each form carries."""
        return self._csrf

    @staticmethod
    def new_form() -> str:
        """A number for a form that is to be sent once."""
        return secrets.token_urlsafe(16)

    async def _get_to_know(self, principal: Principal) -> None:
        user = await get_user(self.desk.database, principal.user or "")
        async with self.desk.database.connect() as connection:
            self.tenants = [*await roles_of(connection, principal.user or "")]
        if user is not None:
            self.name, self.email = user.name, user.email

    def _check_form(self) -> None:
        """Compare what the form carried. Raises `PermissionDenied`."""
        token = self.form.get(CSRF_FIELD)
        if self.visitor is not None:
            self.visitor.check(token)
        elif not (
            hmac.compare_digest((token or "").encode(), self._csrf.encode())
            and self.desk.form_cookie in self.request.cookies
        ):
            raise PermissionDenied("The form is too old. Open the page again, and repeat.", code="csrf")

    def _new_form_token(self) -> str:
        token = secrets.token_urlsafe(24)
        cookie = f"{self.desk.form_cookie}={token}; Max-Age={_FORM_SECONDS}{self.desk.attributes}"
        self.cookies.append((b"set-cookie", cookie.encode()))
        return token


def ago(language: Language, at: float) -> str:
    """How long ago a moment was, for people."""
    seconds = max(0, int(time.time() - at))
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return language.text(f"ago.{unit}" if count == 1 else f"ago.{unit}s", count=count)
    return language.text("ago.now")
