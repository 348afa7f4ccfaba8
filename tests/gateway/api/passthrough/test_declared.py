"""Paths that the operator has declared, and all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway import Gateway
from gateway.testing.upstream import Reply

JSON = {"content-type": "application/json"}
SECRET = "sk-not-a-real-key-but-long-enough"
CHAT: dict[str, Any] = {"model": "gpt", "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_declared_path_is_handed_on_untouched(serve: Any, method: str) -> None:
    theirs = {
        "content-type": "application/x-thing",
        "content-disposition": "attachment",
        "set-cookie": "session=upstream",
        "openai-organization": "the-operators",
        "x-ratelimit-remaining-requests": "7",
    }
    async with serve(
        Reply(status=201, headers=theirs, parts=[b"one", b"\x00\xfftwo"]), passthrough=("/things/*",)
    ) as served:
        response = await served.http.request(
            method,
            "/provider/acme/v1/things/a%3Ab?x=1&y=%20z&x=2",
            content=b"\x01 body",
            headers={
                "content-type": "application/x-ask",
                "x-api-key": "gw_all",
                "cookie": "a=b",
                "openai-organization": "another",
                "x-forwarded-for": "1.2.3.4",
                "idempotency-key": "k1",
            },
        )
        assert (response.status_code, response.content) == (201, b"one\x00\xfftwo")
        (sent,) = served.upstream.requests
        assert (sent.method, sent.path, sent.body) == (
            method,
            "/v1/things/a%3Ab?x=1&y=%20z&x=2",
            b"\x01 body",
        )
        assert sent.headers["authorization"] == f"Bearer {SECRET}"
        assert sent.headers["content-type"] == "application/x-ask"
        assert sent.headers["idempotency-key"] == "k1"
        assert not {"cookie", "x-api-key", "openai-organization", "x-forwarded-for"} & set(sent.headers)
        assert response.headers["content-type"] == "application/x-thing"
        assert response.headers["content-disposition"] == "attachment"
        assert not {"set-cookie", "openai-organization", "x-ratelimit-remaining-requests"} & set(
            response.headers
        )
        assert served.watch.last() == ("passthrough", "/things/*", "acme", "success", 201)
        assert served.watch.ended[0][1].cost in {None, 0}


async def test_head_and_an_empty_answer(serve: Any) -> None:
    async with serve(
        Reply(status=200, headers={"content-type": "text/plain"}),
        Reply(status=204),
        passthrough=("/things/*",),
    ) as served:
        response = await served.http.head("/provider/acme/things/x")
        assert (response.status_code, response.headers["content-type"]) == (200, "text/plain")


async def test_undeclared_paths_are_refused(serve: Any) -> None:
    async with serve(Reply(), passthrough=("GET /files",)) as served:
        for method, path in (
            ("GET", "/files/x"),
            ("POST", "/files"),
            ("GET", "/chat/completions"),
            ("GET", "/"),
        ):
            response = await served.http.request(method, f"/provider/acme{path}")
            error = response.json()["error"]
            assert (response.status_code, error["code"]) == (403, "unmetered_route")
            assert f'passthrough = ["{method} {path}"] in [provider.acme]' in error["message"]
        assert served.upstream.requests == []


async def test_strangers_learn_nothing(serve: Any) -> None:
    async with serve(Reply(), passthrough=("/files",)) as served:
        del served.http.headers["authorization"]
        for path in ("/files", "/undeclared", "/chat/completions", "/%2e%2e/x"):
            assert (await served.http.get(f"/provider/acme{path}")).status_code == 401
        assert (await served.http.get("/provider/nobody/files")).status_code == 401
        assert (await served.http.post("/provider/acme/chat/completions", json=CHAT)).status_code == 401
        assert served.upstream.requests == []


async def test_unknown_providers_and_methods(serve: Any) -> None:
    async with serve(Reply(), passthrough=("/files",)) as served:
        unknown = await served.http.get("/provider/nobody/files")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_provider")
        refused = await served.http.request("TRACE", "/provider/acme/files")
        assert (refused.status_code, refused.json()["error"]["code"]) == (405, "method_not_allowed")
        upgrade = await served.http.get(
            "/provider/acme/files", headers={"upgrade": "websocket", "connection": "upgrade"}
        )
        assert (upgrade.status_code, upgrade.json()["error"]["code"]) == (400, "upgrade_refused")


async def test_clients_of_another_provider_are_told_where_theirs_is(tmp_path: Path) -> None:
    key = {"api_key": SECRET}
    config: Any = {
        "gateway": {"database": f"sqlite:///{tmp_path}/gateway.db"},
        "provider": {"openai": key, "anthropic": key, "cohere": key, "other": {"use": "cohere", **key}},
    }
    gateway = Gateway.from_dict(config)
    async with gateway.lifespan(), gateway.client as client:
        refused = await client.post("/provider/openai/v2/chat", json=CHAT)
        lost = await client.post("/provider/openai/v2/chit", json=CHAT)
    assert refused.status_code == lost.status_code == 403
    hint = " It is a call at /provider/cohere, /provider/other."
    assert refused.json()["error"]["message"].endswith(f"in [provider.openai].{hint}")
    assert lost.json()["error"]["message"].endswith("in [provider.openai].")
