"""A small OpenID Connect provider on the loopback: discovery, keys that rotate, sign-in with PKCE, signed tokens."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import warnings
from collections import Counter
from collections.abc import AsyncGenerator
from functools import cache
from typing import Any, Literal
from urllib.parse import parse_qsl

import uvicorn
from joserfc import jwk, jwt
from joserfc.errors import SecurityWarning
from starlette.applications import Starlette
from starlette.datastructures import URL
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .authority import Authority, Client, Person, Request

AUDIENCE = "https://gateway.example.com"
CLIENT, SECRET = "gateway-client", "not-a-real-secret"

Kind = Literal["RS256", "ES256", "EdDSA"]


@cache
def private_key(kid: str, kind: Kind = "RS256") -> jwk.Key:
    """Make a key pair, once per id."""
    parameters: Any = {"kid": kid, "alg": kind, "use": "sig"}
    match kind:
        case "RS256":
            return jwk.RSAKey.generate_key(2048, parameters)
        case "ES256":
            return jwk.ECKey.generate_key("P-256", parameters)
        case "EdDSA":
            return jwk.OKPKey.generate_key("Ed25519", parameters)


class Provider:
    """An issuer. What it does can be changed at any time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key: jwk.Key = private_key("first", "ES256")
        """Signs."""
        self.published: list[dict[str, Any]] = [public(self.key)]
        """The JWK set."""
        self.hits: Counter[str] = Counter()
        """How often each path was asked for."""
        self.down = False
        """Answer everything with 503."""
        self.document: dict[str, Any] = {}
        """Overrides parts of the discovery document."""
        self.tampered: dict[str, Any] = {}
        """Overrides claims of ID tokens."""
        self.redirects: dict[str, str] = {}
        """Overrides parameters of the redirect back to the client."""
        self.person: Person | None = Person(
            "alice", {"name": "Alice Example", "email": "alice@example.com", "email_verified": True}
        )
        """Who signs in; None refuses."""
        self.authority = Authority(lambda: self.url, lambda: self.key, self.tampered)
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def register(self, redirect_uri: str, *, secret: str | None = SECRET) -> None:
        """Register the gateway as a client."""
        self.authority.clients[CLIENT] = Client(CLIENT, secret, redirect_uri)

    def rotate(self, key: jwk.Key, *, keep: bool = False) -> None:
        """Sign with another key, and publish it; without `keep` instead of the others."""
        self.key = key
        self.published[:] = [*(self.published if keep else []), public(key)]

    def claims(self, **claims: Any) -> dict[str, Any]:
        """The claims of a good access token, and others."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "alice",
            "scope": "calls.make",
            "iat": now,
            "exp": now + 300,
        }
        return {**usual, **claims}

    def token(
        self, *, header: dict[str, Any] | None = None, key: jwk.Key | None = None, **claims: Any
    ) -> str:
        """Sign an access token. What is None is left out."""
        key = key or self.key
        head = {"alg": key.alg, "kid": key.kid, "typ": "at+jwt", **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        given = {name: value for name, value in self.claims(**claims).items() if value is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # RFC 9864 has other names for EdDSA
            return jwt.encode(head, given, key, [str(head["alg"])], default_type=None)

    async def _discovery(self, request: HttpRequest) -> Response:
        self.hits[request.url.path] += 1
        if self.down:
            return Response(status_code=503)
        document = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse({**document, **self.document})

    async def _jwks(self, request: HttpRequest) -> Response:
        self.hits[request.url.path] += 1
        if self.down:
            return Response(status_code=503)
        return JSONResponse({"keys": self.published})

    async def _authorize(self, request: HttpRequest) -> Response:
        asked = Request("GET", str(request.url), request.headers, dict(request.query_params))
        authority: Any = self.authority
        grant = authority.get_consent_grant(asked, self.person)
        answer = authority.create_authorization_response(asked, self.person, grant)
        url = URL(answer.headers["location"]).include_query_params(iss=self.url, **self.redirects)
        return Response(status_code=302, headers={"location": str(url)})

    async def _token(self, request: HttpRequest) -> Response:
        self.hits[request.url.path] += 1
        form = dict(parse_qsl((await request.body()).decode()))
        answer: Any = self.authority.create_token_response(  # pyright: ignore[reportUnknownMemberType]
            Request("POST", str(request.url), request.headers, form)
        )
        return answer


def public(key: jwk.Key, **parameters: Any) -> dict[str, Any]:
    """A key as its issuer publishes it."""
    return {**dict(key.as_dict(private=False)), **parameters}


@contextlib.asynccontextmanager
async def provider() -> AsyncGenerator[Provider]:
    """Serve a provider from this event loop."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        issuer = Provider(f"http://127.0.0.1:{sock.getsockname()[1]}")
        config = uvicorn.Config(issuer.app, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        vars(server)["capture_signals"] = contextlib.nullcontext  # the tests' own are not to change
        serving = asyncio.create_task(server.serve([sock]))
        try:
            while not server.started:
                await asyncio.sleep(0.005)
            yield issuer
        finally:
            server.should_exit = True
            await serving
