"""What goes wrong, and what somebody tries."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.testing.upstream import Reply

JSON = {"content-type": "application/json"}
SECRET = "sk-not-a-real-key-but-long-enough"
CHAT: dict[str, Any] = {"model": "gpt", "messages": [{"role": "user", "content": "Hello?"}]}


async def raw(gateway: Gateway, method: str, path: bytes, query: bytes = b"") -> list[Any]:
    """Send a request that no client library would send, and return the messages of its answer."""
    sent: list[Any] = []

    body: list[Any] = [{"type": "http.request", "body": b""}]

    async def receive() -> Any:
        if not body:
            await asyncio.Event().wait()  # the client stays, and says no more
        return body.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"authorization", b"Bearer gw_all")],
        "client": ("127.0.0.1", 1),
    }
    await gateway(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    "path",
    [
        b"/provider/acme/../../admin",
        b"/provider/acme/%2e%2e/admin",
        b"/provider/acme/things/..%2fadmin",
        b"/provider/acme//evil.test/x",
        b"/provider/acme/things%0d%0ahost:evil",
        b"/provider/acme/\\evil.test",
        b"/provider/acme/things/\xe9",
    ],
)
async def test_tricks_never_go_upstream(serve: Any, path: bytes) -> None:
    async with serve(Reply(), passthrough=("/*",)) as served:
        head, body = await raw(served.gateway, "GET", path)
        assert head["status"] == 400
        assert json.loads(body["body"])["error"]["code"] == "invalid_path"
        assert served.upstream.requests == []


async def test_a_query_that_would_smuggle(serve: Any) -> None:
    async with serve(Reply(), passthrough=("/*",)) as served:
        head, body = await raw(served.gateway, "GET", b"/provider/acme/x", b"a=\r\nhost: evil")
        assert head["status"] == 400
        assert json.loads(body["body"])["error"]["code"] == "invalid_query"
        assert served.upstream.requests == []


async def test_an_address_in_the_path_stays_a_path(serve: Any) -> None:
    async with serve(Reply(), passthrough=("/*",)) as served:
        await served.http.get("/provider/acme/user:pw@evil.test:80/x")
        assert served.upstream.requests[0].path == "/v1/user:pw@evil.test:80/x"
        assert served.upstream.requests[0].headers["host"] == served.upstream.url.removeprefix("http://")


async def test_redirects_are_not_followed(serve: Any) -> None:
    reply = Reply(status=302, headers={"location": "http://127.0.0.1:1/evil"})
    async with serve(reply, passthrough=("/files",)) as served:
        response = await served.http.get("/provider/acme/files")
        assert response.status_code == 502
        assert "location" not in response.headers
        assert len(served.upstream.requests) == 1


async def test_the_providers_errors_are_its_own_but_for_secrets(serve: Any) -> None:
    body = json.dumps({"oops": f"bad key {SECRET}", "long": "x" * 5000}).encode()
    async with serve(
        Reply(status=409, headers={**JSON, "retry-after": "3"}, parts=[body]), passthrough=("/files",)
    ) as served:
        response = await served.http.get("/provider/acme/files")
        assert (response.status_code, response.headers["retry-after"]) == (409, "3")
        assert response.json() == {"oops": "bad key [redacted]", "long": "x" * 5000}
        assert served.watch.last() == ("passthrough", "/files", "acme", "failed", 409)
        assert served.watch.ended[0][1].error_code == "upstream_error"


async def test_the_next_key_is_tried(serve: Any) -> None:
    refusal = Reply(status=429, headers=JSON, parts=[b'{"error": {"message": "slow"}}'])
    async with serve(
        refusal,
        Reply(parts=[b"fine"]),
        passthrough=("/files",),
        api_key=None,
        api_keys=["sk-fake-one", "sk-fake-two"],
    ) as served:
        assert (await served.http.get("/provider/acme/files")).content == b"fine"
        used = [request.headers["authorization"] for request in served.upstream.requests]
        assert sorted(used) == ["Bearer sk-fake-one", "Bearer sk-fake-two"]
    async with serve(refusal, passthrough=("/files",)) as served:
        response = await served.http.get("/provider/acme/files")
        assert (response.status_code, response.json()) == (429, {"error": {"message": "slow"}})


async def test_an_answer_that_breaks_off_is_cut(serve: Any) -> None:
    reply = Reply(headers={"content-type": "text/plain"}, parts=[b"half"], ending="cut")
    async with serve(reply, passthrough=("/files",)) as served:
        _, *parts = await raw(served.gateway, "GET", b"/provider/acme/files")
        assert b"".join(part["body"] for part in parts) == b"half"
        assert all(part["more_body"] for part in parts), "a clean end would look like success"
        assert served.watch.last()[3] == "failed"
        assert served.watch.ended[0][1].error_code == "upstream_cut"
