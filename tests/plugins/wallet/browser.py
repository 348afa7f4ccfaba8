"""Browsers and programs that talk to one gateway, each with cookies of its own."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway import Gateway

from ... import scratch

ORIGIN = "https://gateway.example"
CONFIG: dict[str, Any] = {
    "auth": {"wallet": {"app_secret": "11" * 32, "app_name": "Example", "chains": [1, 10]}},
    "gateway": {
        "identity": {"public_url": ORIGIN, "sign_up": "open", "sign_ins_per_minute": 0},
        "failures_per_minute": 0,
    },
}

both = pytest.mark.parametrize("gateway", scratch.KINDS, indirect=True, scope="module")
"""For whole flows: they run on either database."""


class Browser:
    """One browser. `origin` None is a program, which sends none."""

    def __init__(self, client: TestClient, gateway: Gateway, origin: str | None = ORIGIN) -> None:
        self._client = client
        self._gateway = gateway
        self._origin = origin
        self._csrf: str | None = None
        self.cookies: dict[str, str] = {}

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        if self._origin is not None:
            headers.setdefault("origin", self._origin)
        return self._send("POST", path, json={} if body is None else body, headers=headers)

    def get(self, path: str, **headers: str) -> Any:
        return self._send("GET", path, headers=headers)

    def _send(self, method: str, path: str, *, headers: dict[str, str], **rest: Any) -> Any:
        if self._csrf is not None:
            headers.setdefault("x-csrf-token", self._csrf)
        self._client.cookies.clear()
        self._client.cookies.update(self.cookies)
        response = self._client.request(method, path, headers=headers, **rest)
        for name in response.cookies:
            self.cookies[name] = response.cookies[name]
        return response

    @property
    def session(self) -> str | None:
        return self.cookies.get("__Host-gateway_session")

    def signed_in(self) -> str:
        """The user that this browser's session is of; from now on it sends the token of its forms."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())

        async def visit() -> Any:
            from gateway.identity.people import Client

            headers = {b"cookie": cookies.encode()}
            return await self._gateway._context.sessions.visit(headers, client=Client())

        assert self._client.portal is not None
        visitor = self._client.portal.call(visit)
        assert visitor is not None, "nobody is signed in"
        self._csrf = visitor.csrf
        assert visitor.principal.user is not None
        return visitor.principal.user

    def subjects(self) -> list[str]:
        """The subjects of all identities of whoever is signed in."""
        user = self.signed_in()
        assert self._client.portal is not None
        sessions = self._gateway._context.sessions
        return [identity.subject for identity in self._client.portal.call(sessions.identities_of, user)]


def refusal(response: Any, status: int) -> str:
    """The words of a refusal, which must have this status and open no session."""
    assert response.status_code == status, response.text
    assert "gateway_session" not in response.headers.get("set-cookie", "")
    return response.json()["error"]["message"]
