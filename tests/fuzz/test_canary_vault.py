"""A secret that goes into the vault, with a provider that repeats it: no answer, log line, metric or row ever shows it."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from gateway.testing.upstream import FakeUpstream, Reply
from gateway.vault.master import new_master_key

from ..gateway.admin.people import CONFIG, People, signed_in
from .samples import request
from .served import Asked, Got, Served, serving

CANARY = "canary-0123456789-in-the-vault"
JSON = {"content-type": "application/json"}
SAID = Reply(
    status=401,
    headers={**JSON, "retry-after": CANARY, "x-request-id": CANARY},
    parts=[json.dumps({"error": {"message": CANARY, "type": CANARY, "code": CANARY}}).encode()],
)
GOOD = Reply(headers=JSON, parts=[b'{"data": []}'])
NEW: dict[str, Any] = {"provider": "openai", "secret": CANARY}
SHOWN = (
    "/credentials",
    "/gateway/credentials",
    "/providers",
    "/gateway/providers",
    "/gateway/config",
    "/gateway/plugins",
    "/audit",
    "/gateway/audit",
    "/calls",
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canary") / "gateway.db"


@pytest.fixture(scope="module")
def upstream() -> FakeUpstream:
    return FakeUpstream()


@pytest.fixture(scope="module")
def master_key() -> str:
    return new_master_key()


@pytest.fixture(scope="module")
def served(database: Path, upstream: FakeUpstream, master_key: str) -> Iterator[Served]:
    level = logging.getLogger("gateway").level
    logging.getLogger("gateway").setLevel(logging.DEBUG)
    config: dict[str, Any] = {
        **CONFIG,
        "gateway": {"database": f"sqlite:///{database}", "vault": {"master_key": master_key}},
        "middleware": {"metrics": {}},
    }
    with start_blocking_portal() as outer, outer.wrap_async_context_manager(upstream):
        provider = {"openai": {"base_url": f"{upstream.url}/v1", "vault": True}}
        with serving({**config, "provider": provider}, plugins=[People]) as served:
            for path in ("/admin/api/credentials", "/admin/api/gateway/credentials"):
                new = {**NEW, "name": "of all tests", "check": False}
                assert ask(served, "POST", path, new).status == 201
            yield served
    logging.getLogger("gateway").setLevel(level)


def ask(served: Served, method: str, path: str, body: Any = None) -> Got:
    sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {**JSON, **signed_in(), "if-match": "*"}
    got = served.ask(Asked(method=method, path=path, headers=headers, body=sent))
    assert CANARY.encode() not in got.body + repr(got.headers).encode(), (method, path)
    return got


def script(upstream: FakeUpstream, reply: Reply) -> None:
    upstream._replies.clear()
    upstream.reply(reply)


@pytest.mark.parametrize("path", ["/admin/api/credentials", "/admin/api/gateway/credentials"])
def test_no_answer_shows_it(served: Served, upstream: FakeUpstream, path: str) -> None:
    for bad in (
        {**NEW, "secret": CANARY + "\n" + CANARY},
        {**NEW, "secret": CANARY + "ü"},
        {**NEW, "secret": [CANARY]},
        {**NEW, "secret": CANARY * 500},
        {**NEW, "provider": "nobody"},
        {**NEW, "weight": 0},
        json.dumps(NEW).encode()[:-1],
        b"\xff" + json.dumps(NEW).encode(),
    ):
        assert 400 <= ask(served, "POST", path, bad).status < 500
    script(upstream, SAID)
    assert ask(served, "POST", path, NEW).status == 422
    made = ask(served, "POST", path, {**NEW, "check": False})
    assert made.status == 201
    one = f"{path}/{json.loads(made.body)['id']}"
    assert ask(served, "POST", f"{one}/check").status == 200
    assert ask(served, "PATCH", one, {"secret": CANARY}).status == 422
    assert ask(served, "PATCH", one, {"secret": CANARY, "check": False, "name": "second"}).status == 200
    assert ask(served, "GET", one).status == 200


def test_no_call_shows_it(served: Served, upstream: FakeUpstream) -> None:
    assert served.gateway._credentials is not None
    served.portal.call(served.gateway._context.changes.look)
    for status in (200, 400, 401, 403, 429, 500):
        script(upstream, Reply(status=status, headers=SAID.headers, parts=SAID.parts))
        for path in ("/v1/chat/completions", "/v1/messages"):
            where, body = request(path, "openai/m", stream=status == 429)
            ask(served, "POST", where, body)
        if status >= 400:  # the content of a good answer is the client's
            ask(served, "GET", "/provider/openai/models/m")
    assert upstream.requests[-1].headers["authorization"] == f"Bearer {CANARY}"


def test_no_page_and_no_metric_shows_it(served: Served, master_key: str) -> None:
    for path in SHOWN:
        got = ask(served, "GET", f"/admin/api{path}")
        assert got.status == 200, path
        assert master_key.encode() not in got.body
    assert ask(served, "GET", "/metrics").status == 200


def test_no_log_line_and_no_row_holds_it(served: Served, database: Path, master_key: str) -> None:
    """Runs last."""
    with closing(sqlite3.connect(database)) as connection:
        rows = list(connection.iterdump())
    assert any("credential.add" in row for row in rows)
    for text in (*served.log.lines, *rows):
        assert CANARY not in text
        assert CANARY.encode().hex() not in text.lower()
        assert master_key not in text
