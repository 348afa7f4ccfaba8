"""Deny by default: which routes there are, and that each but a few refuses who shows no key, in its clients' words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Mount, Route, WebSocketRoute

from gateway import Gateway
from gateway.admin import PREFIX
from gateway.admin.resources import endpoints
from gateway.wire.gemini_live import VERSIONS, live_path

from .served import Asked, Served, serving
from .words import check_error

PUBLIC = {"/healthz", "/readyz", "/openapi.json"}
"""All that needs no key."""
NO_PLAIN_HTTP = {
    "/v1/realtime",
    "/openai/realtime",
    "/openai/v1/realtime",
    *(live_path(version) for version in VERSIONS),
}
"""They tell everybody, over plain HTTP, that they are WebSockets."""
EXAMPLES = {
    "/v1beta/{rest:path}": "/v1beta/models/mock/echo:generateContent",
    "/provider/{rest:path}": "/provider/mock/v1/chat/completions",
}
PARAMETERS = {"id": "abc", "model": "mock/echo"}
"""What may stand for each in any other path."""
PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")
CONFIG: dict[str, Any] = {
    "gateway": {"failures_per_minute": 0},
    "auth": {"apikey": {}},
    "provider": {"mock": {}},
}
BODY = json.dumps({"model": "mock/echo", "input": "x"}).encode()


def routes() -> list[tuple[str, str]]:
    """Method and path of everything that the core serves over HTTP."""
    found: list[tuple[str, str]] = []
    for route in Gateway.from_dict(CONFIG).routes:
        assert isinstance(route, Route | WebSocketRoute | Mount)
        if isinstance(route, Route) and not route.path.startswith(PREFIX):
            path = EXAMPLES.get(route.path) or PARAMETER.sub(lambda found: PARAMETERS[found[1]], route.path)
            methods = route.methods or {"GET", "POST", "DELETE"}
            found += [(method, path) for method in sorted(methods - {"HEAD"})]
    admin = [(one.method, PREFIX + re.sub(r"\{[^}]+\}", "abc", one.path)) for one in endpoints()]
    return [*found, *admin]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(CONFIG) as served:
        yield served


@pytest.mark.parametrize(("method", "path"), routes())
@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer gw_not-a-key"}, {"x-api-key": "gw_not-a-key"}]
)
def test_who_shows_no_good_key_is_refused(
    served: Served, method: str, path: str, headers: dict[str, str]
) -> None:
    got = served.ask(Asked(method=method, path=path, headers=headers, body=BODY if method == "POST" else b""))
    assert len(got.all("x-request-id")) == 1
    if path in PUBLIC:
        assert got.status == 200
        return
    if path in NO_PLAIN_HTTP:
        assert got.status == 426
    else:
        assert got.status == 401, got.body
    check_error(path, got, headers)


def test_whatever_is_added_is_described(served: Served) -> None:
    """A route that the description does not know has no request, no answer and no reviewed rule of access."""
    document = json.loads(served.ask(Asked(method="GET", path="/openapi.json")).body)
    unknown = [
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["summary"] == f"{method.upper()} {path}"
    ]
    assert unknown == [], "describe them in gateway/api/openapi"


def test_the_public_routes_tell_nothing_of_the_deployment(served: Served) -> None:
    for path in PUBLIC:
        body = served.ask(Asked(method="GET", path=path)).body
        assert b"mock" not in body
        assert b"sqlite" not in body
