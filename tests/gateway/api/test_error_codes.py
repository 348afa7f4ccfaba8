"""A provider's error keeps its code, also when that is null, wherever the provider says it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply

SAID = {"message": "Too long.", "type": "invalid_request_error", "param": "messages"}
EVENTS = {"content-type": "text/event-stream"}


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


async def asked(
    gateway_factory: GatewayFactory, upstream: FakeUpstream, reply: Reply, *, stream: bool
) -> tuple[int, bytes]:
    upstream.reply(reply)
    table = {"base_url": f"{upstream.url}/v1", "api_key": "not-a-real-key"}
    body = {"model": "openai/m", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    async with gateway_factory({"provider": {"openai": table}}) as gateway, gateway.client as http:
        answer = await http.post("/v1/chat/completions", json=body)
    return answer.status_code, answer.content


def error(code: Any) -> bytes:
    return json.dumps({"error": {**SAID, "code": code}}).encode()


@pytest.mark.parametrize("code", [None, "context_length_exceeded"])
async def test_of_a_refusal(gateway_factory: GatewayFactory, upstream: FakeUpstream, code: str | None):
    reply = Reply(status=400, headers={"content-type": "application/json"}, parts=[error(code)])
    status, body = await asked(gateway_factory, upstream, reply, stream=False)
    assert (status, json.loads(body)["error"]) == (400, {**SAID, "code": code})


@pytest.mark.parametrize("code", [None, "context_length_exceeded"])
async def test_of_a_stream_that_never_began(
    gateway_factory: GatewayFactory, upstream: FakeUpstream, code: str | None
):
    reply = Reply(headers=EVENTS, parts=[b"data: " + error(code) + b"\n\n"])
    status, body = await asked(gateway_factory, upstream, reply, stream=True)
    assert (status, json.loads(body)["error"]["code"]) == (502, code)
