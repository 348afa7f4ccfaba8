"""Credentials of people and services are shown where they are issued, and nowhere else: no page, error, log line or row."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.routing import BaseRoute, Route

from gateway.identity.owner import ensure_owner, sign_in_link
from gateway.store.audit import Actor
from gateway.store.keys import create_key

from .served import Asked, Got, Served, serving

MARK = "canaryAAAAmarkBBBBsecretCCCCvalueDDDD"
"""Part of every made-up credential, in its middle, where a hint never shows anything."""

BEARERS = (
    f"gs_{MARK}0000",
    f"gr_{MARK}0000",
    f"gw_{MARK}0000",
    f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.{MARK}",
    f"eyJhbGciOiJub25lIn0.{MARK}.",
)
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
SIGNATURE = {
    "signature-input": f'sig1=("@method");created=1;keyid="{MARK}";nonce="{MARK}"',
    "signature": f"sig1=:{MARK}:",
    "x-component-sig": MARK,
    "x-component-did": MARK,
}
COOKIE = {"cookie": f"gateway_session=gs_{MARK}; gateway_refresh=gr_{MARK}; gateway_form={MARK}"}

PAGES = re.compile(r"/account|/sign-in/device|/invitation$|/sign-in(/link|/language)?$")
"""Pages that hold links to themselves, in another language or after signing in, with the query of their own URL."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canary") / "gateway.db"


@pytest.fixture(scope="module")
def served(database: Path) -> Iterator[Served]:
    """A gateway with every way to come in; its issuer cannot be reached."""
    level = logging.getLogger("gateway").level
    logging.getLogger("gateway").setLevel(logging.DEBUG)
    issuer = {"issuer": "http://127.0.0.1:9/", "audience": "gateway", "client_id": "console"}
    config: dict[str, Any] = {
        "gateway": {"database": f"sqlite:///{database}", "failures_per_minute": 0},
        "auth": {"apikey": {}, "component": {}, "wallet": {}, "jwt": {"issuers": {"corp": issuer}}},
        "provider": {"mock": {}},
        "middleware": {"metrics": {}},
        "service": {"console": {}},
    }
    with serving(config) as served:
        yield served
    logging.getLogger("gateway").setLevel(level)


def paths(routes: Sequence[BaseRoute]) -> set[str]:
    """Every path that there is, with something for each name in it."""
    return {re.sub(r"\{[^}]+\}", "x", route.path) for route in routes if isinstance(route, Route)}


def shown(got: Got) -> str:
    return got.body.decode("utf-8", "replace") + repr(got.headers)


def test_what_is_wrong_is_not_repeated(served: Served) -> None:
    fields = {"token": MARK, "refresh_token": f"gr_{MARK}", "signature": MARK, "proof": MARK, "jwt": MARK}
    query = urlencode({"token": MARK, "code": MARK, "state": MARK, "_t_": MARK, "key": f"gw_{MARK}0000"})
    doors = sorted(paths(served.gateway.routes))
    assert {"/sign-in/link", "/sign-in/refresh", "/v1/models"} <= set(doors)
    for number, path in enumerate(doors):
        bearer = BEARERS[number % len(BEARERS)]
        given = b"" if PAGES.match(path) else query.encode()
        for headers in ({"authorization": f"Bearer {bearer}"}, COOKIE, {"x-api-key": bearer, **SIGNATURE}):
            for asked in (
                Asked(method="GET", path=path, query=given, headers=headers),
                Asked(path=path, headers={**headers, **JSON}, body=json.dumps(fields).encode()),
                Asked(path=path, headers={**headers, **FORM}, body=urlencode(fields).encode()),
            ):
                got = served.ask(asked)
                assert MARK not in shown(got), (asked, shown(got))
                assert got.status != 500, asked


@pytest.mark.parametrize("bearer", BEARERS)
def test_no_kind_of_token_is_repeated(served: Served, bearer: str) -> None:
    for headers in ({"authorization": f"Bearer {bearer}"}, {"x-api-key": bearer}, {"x-goog-api-key": bearer}):
        for path in ("/v1/models", "/admin/api/me", "/v1beta/models"):
            got = served.ask(Asked(method="GET", path=path, headers=headers))
            assert got.status in {401, 503}
            assert MARK not in shown(got)


def cookies(got: Got) -> dict[str, str]:
    pairs = (value.partition(";")[0].partition("=") for value in got.all("set-cookie"))
    return {name: value for name, _, value in pairs}


def test_what_is_good_is_shown_once(served: Served, database: Path) -> None:
    """Runs last: signs in with a link, uses the session everywhere, and then looks at everything that was kept."""
    store = served.gateway._context.database
    owner = served.portal.call(ensure_owner, store, "default")
    assert owner is not None
    link = served.portal.call(lambda: sign_in_link(store, owner.id, base_url="http://gateway"))
    token = parse_qs(urlsplit(link).query)["token"][0]
    page = served.ask(Asked(method="GET", path="/sign-in/link", query=urlencode({"token": token}).encode()))
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', page.body.decode())
    fields = {"token": token, "csrf_token": csrf[1] if csrf else ""}
    held = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies(page).items())}
    entered = served.ask(
        Asked(
            path="/sign-in/link",
            headers={**FORM, **held, "origin": "http://gateway"},
            body=urlencode(fields).encode(),
        )
    )
    assert entered.status == 303, entered
    first = cookies(entered)
    body = json.dumps({"refresh_token": first["gateway_refresh"]}).encode()
    renewed = json.loads(served.ask(Asked(path="/sign-in/refresh", headers=JSON, body=body)).body)
    secrets = [token, first["gateway_session"], first["gateway_refresh"]]
    secrets += [value for value in renewed.values() if str(value).startswith(("gs_", "gr_"))]
    assert len(secrets) == 5
    _, key = served.portal.call(lambda: create_key(store, "a", actor=Actor(kind="gateway", id="tests")))
    bearer = {"authorization": f"Bearer {secrets[3] if secrets[3].startswith('gs_') else secrets[4]}"}
    session = {"cookie": f"gateway_session={bearer['authorization'][7:]}"}
    chat = json.dumps({"model": "mock/echo", "messages": [{"role": "user", "content": "Hello?"}]}).encode()
    for headers in (bearer, {"authorization": f"Bearer {key}"}):
        assert (
            served.ask(Asked(path="/v1/chat/completions", headers={**headers, **JSON}, body=chat)).status
            == 200
        )
    seen: list[str] = []
    for path in sorted(paths(served.gateway.routes)):
        for headers in (bearer, session):
            got = served.ask(Asked(method="GET", path=path, headers=headers))
            assert got.status != 500, path
            seen.append(shown(got))
    for path in (
        "me",
        "keys",
        "users",
        "audit",
        "gateway/audit",
        "calls",
        "gateway/config",
        "gateway/plugins",
    ):
        got = served.ask(Asked(method="GET", path=f"/admin/api/{path}", headers=bearer))
        assert got.status == 200, (path, got)
        seen.append(shown(got))
    with closing(sqlite3.connect(database)) as connection:
        seen += list(connection.iterdump())
    seen += served.log.lines
    assert any("key.create" in line for line in seen)
    for secret in (*secrets, key, MARK):
        assert not [line for line in seen if secret in line]
