"""Where all ways to sign in begin and end: the browser that began one finishes it, in a session or an added identity."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.errors import AuthenticationFailed, InvalidRequest, PermissionDenied
from gateway.identity import Actor
from gateway.identity.people import Client
from gateway.small_body import small_body

if TYPE_CHECKING:
    from gateway.identity.people import Proof, SignedIn
    from gateway.plugin import Context
    from gateway.types import Principal, RawHeaders

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

SECONDS: Final = 300
"""How long somebody has to finish what they began."""

_MAX_BODY: Final = 64 * 1024
_MAX_AGENT: Final = 300
_BYTES: Final = 24
_KEPT: Final = "gateway_wallet.body"


class Desk:
    """Binds what is under way to a browser by a cookie, and turns proofs into sessions."""

    def __init__(self, context: Context) -> None:
        self._sessions = context.sessions
        self._attempts = context.attempts
        rules = context.sessions.rules
        url = urlsplit(rules.public_url)
        self.public_url = rules.public_url
        self.origin = f"{url.scheme}://{url.netloc}"
        self.domain = url.netloc
        self.scheme = url.scheme
        self.host = url.hostname or ""
        self._secure = url.scheme == "https"

    def route(self, path: str, handler: Handler, *methods: str) -> BaseRoute:
        """Make a route where wrong proofs count as wrong credentials do; good ones always work."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handler(request)
            except AuthenticationFailed:
                self._attempts.failed(_address(request))
                raise

        return Route(path, endpoint, methods=methods)

    async def begin(self, request: Request) -> None:
        """Count a sign-in that is begun. Raises `RateLimited`, `Unavailable`."""
        await self._sessions.begin(_address(request))

    async def body(self, request: Request) -> dict[str, Any]:
        """Read a JSON object that a page of this very origin sent, or a program.

        Raises `InvalidRequest`, and `PermissionDenied` for a page of elsewhere.
        """
        origin = request.headers.get("origin")
        if origin is not None and origin != self.origin:
            raise PermissionDenied(
                f"This request comes from another site than {self.origin}.", code="wrong_origin"
            )
        # A form of another site can send text, but not this type without the browser asking first.
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise InvalidRequest("Send a JSON object, with 'content-type: application/json'.", status=415)
        return json_object(await bounded(request))

    async def user(self, request: Request, body: Mapping[str, Any]) -> str | None:
        """Return whose account gets another way to sign in, when that is asked for by `"add": true`.

        Raises `AuthenticationFailed` when nobody is signed in.
        """
        if body.get("add") is not True:
            return None
        return (await self.principal(request)).user

    async def principal(self, request: Request) -> Principal:
        """Return who is signed in, with a session. Raises `AuthenticationFailed`."""
        principal = await self._sessions.authenticate(_Incoming(request))
        if principal is None or principal.user is None:
            raise AuthenticationFailed("Sign in first.", code="not_signed_in")
        return principal

    def bind(self, way: str) -> tuple[str, tuple[str, str]]:
        """Make a mark of the browser: its digest to be kept with what is under way, and the header that sets the cookie."""
        mark = secrets.token_urlsafe(_BYTES)
        attributes = f"; Max-Age={SECONDS}; Path=/; HttpOnly; SameSite=Lax" + (
            "; Secure" if self._secure else ""
        )
        return _digest(mark), ("set-cookie", f"{self._name(way)}={mark}{attributes}")

    def is_from(self, request: Request, way: str, digest: object) -> bool:
        """Whether a request comes from the browser that was marked."""
        mark = request.cookies.get(self._name(way), "")
        return isinstance(digest, str) and secrets.compare_digest(_digest(mark), digest)

    async def finish(
        self,
        request: Request,
        proof: Proof,
        *,
        method: str,
        user: str | None = None,
        invitation: str | None = None,
    ) -> Response:
        """Add what was proved to a user's identities, or sign in with it: the browser gets the session in cookies.

        Raises `AuthenticationFailed` when that user is not signed in any more; what `Sessions` raises.
        """
        if user is None:
            signed_in = await self.sign_in(request, proof, method=method, invitation=invitation)
            answer = JSONResponse({"status": "succeed"}, headers={"cache-control": "no-store"})
            answer.raw_headers.extend(self._sessions.cookies.headers(signed_in))
            return answer
        if (await self.principal(request)).user != user:
            raise AuthenticationFailed("Somebody else has signed in meanwhile.", code="not_signed_in")
        actor = Actor(
            kind="user",
            id=user,
            request_id=request.scope.get("gateway.request_id"),
            address=_address(request),
        )
        identity = await self._sessions.add_identity(user, proof, actor=actor)
        return JSONResponse(
            {"status": "succeed", "identity": identity.id}, headers={"cache-control": "no-store"}
        )

    async def sign_in(
        self, request: Request, proof: Proof, *, method: str, invitation: str | None
    ) -> SignedIn:
        """Open a session. Raises what `Sessions.sign_in` raises."""
        agent = request.headers.get("user-agent", "")[:_MAX_AGENT]
        client = Client(address=_address(request), agent=agent or None)
        return await self._sessions.sign_in(proof, method=method, client=client, invitation=invitation)

    def _name(self, way: str) -> str:
        return f"{'__Host-' if self._secure else ''}gateway_{way}"


class _Incoming:
    """A request as authenticators see it."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.method = request.method
        self.path: str = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        self.headers: Mapping[bytes, bytes] = dict(request.scope["headers"])
        self.client = _address(request)
        self.header_list: RawHeaders = request.scope["headers"]
        self.target = request.url.path.encode() + (b"?" + request.scope["query_string"]).rstrip(b"?")

    async def body(self) -> bytes:
        """Read the whole body, once."""
        return await bounded(self._request)


async def bounded(request: Request) -> bytes:
    """Read a small body. Raises `InvalidRequest` (413) when it is not."""
    if _KEPT in request.scope:
        return cast("bytes", request.scope[_KEPT])
    data = request.scope[_KEPT] = await small_body(request, _MAX_BODY)
    return data


def json_object(data: bytes | str) -> dict[str, Any]:
    """Read a JSON object without doubled keys. Raises `InvalidRequest`."""
    try:
        value: Any = json.loads(data, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InvalidRequest("This is not valid JSON, or it names a key twice.") from None
    if not isinstance(value, dict):
        raise InvalidRequest("Send a JSON object.")
    return cast("dict[str, Any]", value)


def text(body: Mapping[str, Any], name: str, *, longest: int = 200) -> str:
    """Return a field that must be a text. Raises `InvalidRequest`."""
    value = body.get(name)
    if not isinstance(value, str) or not value or len(value) > longest:
        raise InvalidRequest(f"'{name}' must be a text of 1 to {longest} characters.", param=name)
    return value


def optional_text(body: Mapping[str, Any], name: str, *, longest: int = 200) -> str | None:
    """Return a field that may be a text. Raises `InvalidRequest`."""
    return None if body.get(name) is None else text(body, name, longest=longest)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice")
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _address(request: Request) -> str | None:
    return None if request.client is None else request.client.host


def _digest(mark: str) -> str:
    return hashlib.sha256(mark.encode()).hexdigest()
