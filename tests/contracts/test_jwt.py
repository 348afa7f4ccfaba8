from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from joserfc import jwk, jwt

from gateway import Plugin
from gateway.app import Gateway
from gateway.testing.contracts import AuthContract
from gateway.testing.contracts.plugin import NOWHERE
from gateway.testing.upstream import FakeUpstream, Reply
from gateway_jwt import Jwt

KEY = jwk.ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256"})
AUDIENCE = "https://gateway.example.com"


class TestJwt(AuthContract):
    plugin = Jwt
    _issuer = NOWHERE

    def config(self) -> Mapping[str, Any]:
        secret = {"client_id": "gateway", "client_secret": "not-a-real-secret"}
        return {"issuers": {"corp": {"issuer": self._issuer, "audience": AUDIENCE, **secret}}}

    @asynccontextmanager
    async def gateway(self, folder: Path, **how: Any) -> AsyncGenerator[Gateway]:
        async with FakeUpstream() as upstream:
            self._issuer = upstream.url
            document = {"issuer": upstream.url, "jwks_uri": f"{upstream.url}/jwks"}
            keys = {"keys": [KEY.as_dict(private=False)]}
            upstream.reply(*(Reply(parts=[json.dumps(body).encode()]) for body in (document, keys)))
            async with super().gateway(folder, **how) as gateway:
                yield gateway

    async def good(self, plugin: Plugin[Any]) -> Mapping[str, str]:
        return self._bearer()

    async def bad(self, plugin: Plugin[Any]) -> Sequence[Mapping[str, str]]:
        good = self._bearer()["authorization"]
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
        other = jwk.ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256"})
        return [
            self._bearer(exp=time.time() - 3600),
            self._bearer(aud="https://other.example.com"),
            self._bearer(iss="https://other.example.com"),
            self._bearer(other),
            {"authorization": good[:-8] + "AAAAAAAA"},
            {"authorization": f"Bearer {unsigned}.{good.split('.')[1]}."},
            {"authorization": "Bearer not.a.token"},
        ]

    def _bearer(self, key: jwk.ECKey = KEY, **claims: Any) -> dict[str, str]:
        usual = {"iss": self._issuer, "aud": AUDIENCE, "sub": "alice", "exp": time.time() + 600}
        token = jwt.encode(
            {"alg": "ES256", "kid": "one", "typ": "at+jwt"}, {**usual, **claims}, key, ["ES256"]
        )
        return {"authorization": f"Bearer {token}"}
