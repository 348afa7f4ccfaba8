"""The application: started once, twice, by lifespan, by the first request; two in one process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.errors import ConfigError, PluginError, Unavailable
from gateway.testing.asgi import post
from gateway.testing.fakes import FakeProvider, plugin_with
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Answer, Attempt

ANSWER = b'{"id": "1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'
CHAT = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}


def config(folder: Path, **tables: Any) -> dict[str, Any]:
    return {"gateway": {"database": f"sqlite:///{folder}/gateway.db"}, **tables}


def test_a_gateway_starts_again_after_it_was_stopped(tmp_path: Path) -> None:
    """As test clients do it: one application, entered again and again, each time on another event loop."""
    upstream_url = "http://127.0.0.1:1"
    gateway = Gateway.from_dict(
        config(tmp_path, provider={"up": {"use": "openai", "base_url": upstream_url}, "mock": {}})
    )
    for _ in range(3):
        with TestClient(gateway) as client:
            for _ in range(3):
                assert (
                    client.post("/v1/chat/completions", json={**CHAT, "model": "mock/echo"}).status_code
                    == 200
                )
            unreachable = client.post("/v1/chat/completions", json=CHAT)
            assert unreachable.json()["error"]["code"] == "upstream_unreachable"
            assert client.get("/readyz").status_code == 200


def test_a_gateway_of_another_event_loop_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As test clients do it that nobody enters: every request is on an event loop of its own."""
    gateway = Gateway.from_dict(config(tmp_path, provider={"mock": {}}))
    host = Starlette(routes=[Mount("/ai", gateway)])
    with TestClient(host) as client:
        assert client.get("/ai/v1/models").status_code == 200
        before = TestClient(host).get("/ai/v1/models")
        assert before.status_code == 503
        assert before.json()["error"]["message"] == "The gateway could not start. Its log says why."
        assert "lifespan=gateway.lifespan; in tests: with TestClient(app) as client" in caplog.text
        assert client.get("/ai/v1/models").status_code == 200
        assert client.portal is not None
        client.portal.call(gateway.shutdown)


async def test_it_serves_over_the_network_after_a_restart(tmp_path: Path) -> None:
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(headers={"content-type": "application/json"}, parts=[ANSWER]))
        gateway = Gateway.from_dict(
            config(tmp_path, provider={"up": {"use": "openai", "base_url": upstream.url}})
        )
        for _ in range(2):
            async with gateway.lifespan(), gateway.client as client:
                answer = await client.post("/v1/chat/completions", json=CHAT)
                assert answer.status_code == 200, answer.text
    assert len(upstream.requests) == 2


async def test_mounted_without_lifespan_its_first_request_starts_it(tmp_path: Path) -> None:
    gateway = Gateway.from_dict(config(tmp_path, provider={"mock": {}}))
    host = Starlette(routes=[Mount("/ai", gateway)])
    async with AsyncClient(transport=ASGITransport(app=host), base_url="http://host") as client:
        asked = [
            client.post("/ai/v1/chat/completions", json={**CHAT, "model": "mock/echo"}) for _ in range(5)
        ]
        answers = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} == {200}
        assert answers[0].headers["x-request-id"].startswith("req_")
        assert (await client.get("/ai/v1/models/mock/echo")).json()["id"] == "mock/echo"
        assert (await client.get("/ai/nothing")).json()["error"]["code"] == "unknown_url"
    await gateway.shutdown()


def test_two_gateways_share_nothing(tmp_path: Path) -> None:
    one = Gateway.from_dict(config(tmp_path, provider={"mock": {}}, models={"a": {"targets": ["mock:echo"]}}))
    (tmp_path / "other").mkdir()
    other = Gateway.from_dict(
        config(tmp_path / "other", provider={"mock": {}}, models={"b": {"targets": ["mock:echo"]}})
    )
    with TestClient(one) as first, TestClient(other) as second:
        assert first.post("/v1/chat/completions", json={**CHAT, "model": "a"}).status_code == 200
        assert first.post("/v1/chat/completions", json={**CHAT, "model": "b"}).status_code == 404
        assert second.post("/v1/chat/completions", json={**CHAT, "model": "b"}).status_code == 200


def test_draining(tmp_path: Path) -> None:
    gateway = Gateway.from_dict(config(tmp_path, provider={"mock": {}}))
    with TestClient(gateway) as client:
        gateway.drain()
        assert client.get("/readyz").json() == {"status": "draining"}
        assert client.get("/healthz").status_code == 200
        refused = client.post("/v1/chat/completions", json={**CHAT, "model": "mock/echo"})
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"


def test_a_bad_config_tells_everything_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Gateway.from_dict({"gateway": {"databse": "x"}, "provider": {"mok": {}}})
    assert len(caught.value.problems) == 2


async def test_a_failed_start_closes_what_it_opened(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"this is no database, and long enough to be read as one" * 20)
    gateway = Gateway.from_dict(config(tmp_path, provider={"mock": {}}))
    with pytest.raises((Unavailable, PluginError)):
        await gateway.startup()
    answer = await gateway.client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "The gateway could not start. Its log says why."
    assert "x-request-id" in answer.headers


class Ponderous(FakeProvider):
    """Thinks until a sign of life was sent, then forgets that a stream was asked for."""

    async def send(self, attempt: Attempt) -> Answer:
        await asyncio.sleep(0.6)
        return Answer(200, [(b"content-type", b"application/json")], body=ANSWER)


async def test_a_whole_answer_cannot_follow_a_sign_of_life(tmp_path: Path) -> None:
    plugin = plugin_with("provider.ponderous", register_providers=[Ponderous("ponderous")])
    tables = config(tmp_path, provider={"ponderous": {}})
    tables["gateway"]["keepalive_seconds"] = 0.1
    gateway = Gateway.from_dict(tables, plugins=[plugin])
    body = {**CHAT, "model": "ponderous/m", "stream": True}
    async with gateway.lifespan():
        answer = await post(gateway, "/v1/chat/completions", body)
    assert answer.status == 200
    assert answer.body.startswith(b": keep-alive")
    assert b"upstream_malformed" in answer.body
    assert not answer.ended
