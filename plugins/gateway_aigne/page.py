"""`/.well-known/service/gen-simple-access-key`: the page on which a signed-in person grants a program its key."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote

from starlette.responses import HTMLResponse, RedirectResponse, Response

import gateway_aigne
from gateway.errors import GatewayError, InvalidRequest
from gateway.identity.people import Client
from gateway.small_body import small_body
from gateway_aigne.texts import TEXTS

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.identity.people import Visitor
    from gateway.plugin import Context
    from gateway_aigne.connecting import Connecting

PATH: Final = "/.well-known/service/gen-simple-access-key"
_SIGN_IN: Final = "/sign-in"
_MAX_BODY: Final = 8192
_MAX_NAME: Final = 60
_CSRF: Final = "csrf_token"


class GrantPage:
    """Asks the person, and grants the key."""

    def __init__(self, context: Context, connecting: Connecting) -> None:
        self._sessions = context.sessions
        self._connecting = connecting
        folder = files(gateway_aigne)
        style = (folder / "page.css").read_text("utf-8")
        self._template = Template(
            Template((folder / "page.html").read_text("utf-8")).safe_substitute(style=style)
        )
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self._headers = {
            "cache-control": "no-store",
            "content-security-policy": (
                f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; "
                "frame-ancestors 'none'"
            ),
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }

    async def ask(self, request: Request) -> Response:
        """Show who asks, to whoever is signed in; others sign in first."""
        words = _words(request)
        visitor = await self._visitor(request)
        if visitor is None:
            root = request.scope.get("root_path", "")
            here = f"{root}{PATH}?{request.url.query}"
            return RedirectResponse(f"{root}{_SIGN_IN}?next={quote(here, safe='')}", 303)
        try:
            asked = await self._connecting.find(_token(request))
        except GatewayError as error:
            return self._told(error, words)
        content = Template(_FORM).substitute(
            {name: escape(text) for name, text in words.items()},
            app=escape(_app(request)),
            address=escape(asked["address"] or "-"),
            agent=escape(asked["agent"] or "-"),
            at=datetime.fromtimestamp(asked["at"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            account=escape(visitor.principal.tenant),
            csrf=escape(visitor.csrf),
        )
        answer = self._page(words, words["title"], content)
        answer.raw_headers.extend(visitor.headers)
        return answer

    async def grant(self, request: Request) -> Response:
        """Grant the key, when the form is one of the session's own."""
        words = _words(request)
        try:
            visitor = await self._visitor(request)
            if visitor is None:
                raise InvalidRequest("You are no longer signed in.", status=401, code="not_signed_in")
            visitor.check(await _field(request, _CSRF))
            await self._connecting.grant(
                _token(request),
                visitor.principal,
                name=_app(request),
                address=Client.of(request).address,
            )
        except GatewayError as error:
            return self._told(error, words)
        answer = self._page(words, words["done"], f"<p>{escape(words['close'])}</p>")
        answer.raw_headers.extend(visitor.headers)
        return answer

    async def _visitor(self, request: Request) -> Visitor | None:
        client = Client.of(request)
        return await self._sessions.visit(dict(request.scope["headers"]), client=client)

    def _told(self, error: GatewayError, words: Mapping[str, str]) -> Response:
        text = words.get(error.code or "", error.message)
        return self._page(words, words["failed"], f"<p>{escape(text)}</p>", status=error.status)

    def _page(self, words: Mapping[str, str], title: str, content: str, *, status: int = 200) -> Response:
        html = self._template.substitute(lang=words["lang"], title=escape(title), content=content)
        return HTMLResponse(html, status, headers=self._headers)


_FORM: Final = """<p>$asks</p>
<dl>
<div><dt>$program</dt><dd>$app</dd></div>
<div><dt>$client</dt><dd>$agent</dd></div>
<div><dt>$from</dt><dd>$address</dd></div>
<div><dt>$when</dt><dd>$at</dd></div>
<div><dt>$tenant</dt><dd>$account</dd></div>
</dl>
<p class="warning">$warning</p>
<form method="post">
<input type="hidden" name="csrf_token" value="$csrf">
<button type="submit">$grant</button>
</form>"""


def _token(request: Request) -> str:
    """The id of the session, as the program has put it into the link. Raises `InvalidRequest`."""
    text = request.query_params.get("__token__", "")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise InvalidRequest("The link is not whole.", status=404, code="not_found") from None


def _app(request: Request) -> str:
    name = "".join(filter(str.isprintable, request.query_params.get("appName", ""))).strip()
    return name[:_MAX_NAME] or "AIGNE CLI"


async def _field(request: Request, name: str) -> str | None:
    """A field of a small form."""
    body = await small_body(request, _MAX_BODY)
    return parse_qs(body.decode("latin-1")).get(name, [None])[0]


def _words(request: Request) -> Mapping[str, Any]:
    """The language that the browser wants first, of those there are."""
    for entry in request.headers.get("accept-language", "").split(","):
        language = entry.partition(";")[0].strip().lower().partition("-")[0]
        if language in TEXTS:
            return TEXTS[language]
    return TEXTS["en"]
