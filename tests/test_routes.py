"""Deny by default: every route of the whole application, with what it needs. One that is not listed here fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from gateway import Gateway, Plugin
from gateway.admin import PREFIX
from gateway.admin.endpoint import SIGNED_IN, Endpoint
from gateway.admin.resources import endpoints
from gateway.identity.permissions import PERMISSIONS
from gateway.schema import installed
from gateway.types import MAKE_CALLS
from gateway.wire.gemini_live import VERSIONS, live_path

from .gateway.admin.people import People, signed_in

CONFIG: dict[str, Any] = {
    "provider": {"mock": {}},
    "auth": {
        "people": {},
        "apikey": {},
        "component": {},
        "wallet": {},
        "jwt": {
            "issuers": {"acme": {"issuer": "http://127.0.0.1:9", "client_id": "x", "client_secret": "y"}}
        },
    },
    "middleware": {"metrics": {"token": "the-token-of-the-metrics"}},
    "billing": {"stripe": {"secret_key": "sk_test_fake", "webhook_secrets": ["whsec_fake"]}},
    "service": {
        "aigne": {},
        "console": {},
        "receipts": {"key": "bm90LWEtcmVhbC1rZXktYnV0LTMyLWJ5dGVzLWxvbmc"},
    },
}
"""Every plugin with routes of its own."""

KINDS = {
    "calls": "for who may make calls",
    "session": "a page for people who are signed in; others are sent to sign in",
    "token": "for who has the token of the config",
    "anybody": "open",
}
LISTED = [
    line.split(maxsplit=2)
    for line in Path(__file__).with_name("routes.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
NEEDS = {path: kind for kind, path, *_ in LISTED}
"""By path; that of a WebSocket begins with `ws:`."""
LIVE_PATHS = {live_path(version) for version in VERSIONS}

EVERYTHING = signed_in("default", "usr_all", *PERMISSIONS)


def without(*permissions: str) -> dict[str, str]:
    """Somebody who may do everything else."""
    return signed_in("default", "usr_all", *(name for name in PERMISSIONS if name not in permissions))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    database = f"sqlite:///{tmp_path_factory.mktemp('routes') / 'gateway.db'}"
    return Gateway.from_dict({**CONFIG, "gateway": {"database": database}}, plugins=[People])


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(gateway, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def label(route: BaseRoute) -> str:
    assert isinstance(route, Route | WebSocketRoute | Mount)
    return f"{'ws:' if isinstance(route, WebSocketRoute) else ''}{route.path}"


def ask(client: TestClient, method: str, path: str, headers: dict[str, str]) -> int:
    return client.request(method, re.sub(r"\{[^}]*\}", "x", path), headers=headers).status_code


def denied(client: TestClient, route: BaseRoute, headers: dict[str, str]) -> set[int]:
    """The statuses with which every method of a route answers."""
    if isinstance(route, WebSocketRoute) and route.path in LIVE_PATHS:
        return {closed(client, route.path, headers)}
    if isinstance(route, WebSocketRoute):
        with (
            pytest.raises(WebSocketDenialResponse) as refusal,
            client.websocket_connect(route.path, headers=headers),
        ):
            pass
        return {refusal.value.status_code}
    assert isinstance(route, Route)
    methods = (route.methods or {"GET", "POST", "DELETE"}) - {"HEAD"}
    return {ask(client, method, route.path, headers) for method in methods}


def closed(client: TestClient, path: str, headers: dict[str, str]) -> int:
    """The status of what Google's clients hear as the reason why their session is closed."""
    with client.websocket_connect(path, headers=headers) as session:
        session.send_text('{"setup": {"model": "models/mock/echo"}}')
        with pytest.raises(WebSocketDisconnect) as end:
            session.receive_bytes()
    assert end.value.code == 1008
    return 403 if "needs the permission" in end.value.reason else 401


def listed(gateway: Gateway) -> list[BaseRoute]:
    return [route for route in gateway.routes if label(route) in NEEDS]


def test_every_plugin_with_routes_is_tried() -> None:
    classes, _ = installed()
    enabled = {f"{kind}.{name}" for kind, tables in CONFIG.items() for name in tables}
    with_routes = {
        plugin
        for plugin, cls in classes.items()
        if {"register_routes", "register_admin_pages"} & {name for base in _bases(cls) for name in vars(base)}
    }
    assert with_routes - enabled == set()


def _bases(cls: type[Plugin[Any]]) -> list[type]:
    return [base for base in cls.__mro__ if base not in Plugin.__mro__]


def test_every_route_is_listed(gateway: Gateway) -> None:
    assert len(LISTED) == len(NEEDS)
    assert set(NEEDS.values()) == set(KINDS)
    assert [line for line in LISTED if (line[0] == "anybody") != (len(line) == 3)] == []
    found = {label(route) for route in gateway.routes} - {PREFIX, f"{PREFIX}/{{rest:path}}"}
    assert found - set(NEEDS) == set(), "say in tests/routes.txt what each of these routes needs"
    assert set(NEEDS) - found == set(), "these routes are gone"


def test_calls_need_their_permission(gateway: Gateway, client: TestClient) -> None:
    for route in listed(gateway):
        if NEEDS[label(route)] == "calls":
            assert denied(client, route, {}) == {401}, label(route)
            assert denied(client, route, without(MAKE_CALLS)) == {403}, label(route)


def test_pages_need_a_session(gateway: Gateway, client: TestClient) -> None:
    for route in listed(gateway):
        if NEEDS[label(route)] == "session":
            # A form that somebody else's page sends is refused; a link leads to the page to sign in.
            assert denied(client, route, {}) <= {303, 401, 403}, label(route)
    asked = client.get("/account")
    assert asked.headers["location"].startswith("/sign-in")


def test_tokens_of_the_config(gateway: Gateway, client: TestClient) -> None:
    for route in listed(gateway):
        if NEEDS[label(route)] == "token":
            assert denied(client, route, {}) == denied(client, route, EVERYTHING) == {401}, label(route)


@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda one: f"{one.method} {one.path}")
def test_every_endpoint_of_the_admin_api_needs_its_permission(client: TestClient, endpoint: Endpoint) -> None:
    path = PREFIX + endpoint.path
    assert ask(client, endpoint.method, path, {}) == 401
    if endpoint.permission != SIGNED_IN:
        assert ask(client, endpoint.method, path, without(*endpoint.permissions)) == 403
