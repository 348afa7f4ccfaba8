"""Faults in the ASGI middleware of plugins: told without details, and only while nothing was sent."""

from __future__ import annotations

import pytest
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import Gateway
from gateway.testing.fakes import plugin_with
from gateway.testing.pytest_plugin import ClientFactory

HEADERS = [(b"content-type", b"text/plain")]


class Faulty:
    """Fails at `/early`, and after the head of its answer at `/late`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        if path == "/late":
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if path in {"/early", "/late"}:
            raise RuntimeError("the secret of the house")
        await self._app(scope, receive, send)


@pytest.fixture
def client(gateway_client: ClientFactory) -> TestClient:
    plugin = plugin_with("middleware.faulty", register_asgi_middleware=[Middleware(Faulty)])
    return gateway_client({"middleware": {"faulty": {}}, "provider": {"mock": {}}}, plugins=[plugin])


def test_a_fault_is_told_without_details(client: TestClient) -> None:
    answer = client.get("/early")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["connection"] == "close"
    assert client.get("/healthz").status_code == 200


def test_an_answer_that_has_begun_is_not_begun_again(client: TestClient) -> None:
    answer = client.get("/late")
    assert (answer.status_code, answer.text) == (200, "")


def test_the_server_is_told_as_well(client: TestClient) -> None:
    assert isinstance(client.app, Gateway)
    strict = TestClient(client.app)
    strict.portal = client.portal  # the event loop in which the gateway was started
    with pytest.raises(RuntimeError, match="house"):
        strict.get("/early")
