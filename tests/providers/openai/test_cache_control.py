"""Anthropic's hints for caching: services that take them in chats get them, for others they are dropped or refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply

ANSWER = Reply(
    headers={"content-type": "application/json"},
    parts=[
        b'{"id":"1","model":"m","choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'
    ],
)
HINT = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12", **HINT}
ASKED: dict[str, Any] = {
    "model": "up/m",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "Be brief.", **HOUR}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "How many bells?", **HINT}]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "count", "input": {}}],
        },
        {"role": "user", "content": [RESULT]},
    ],
}


async def asked(
    gateway_factory: GatewayFactory, upstream: FakeUpstream, preset: str, **tables: Any
) -> tuple[int, str | None, dict[str, Any]]:
    """Ask as Anthropic's clients do; return the status, what was dropped, and the answer."""
    upstream.reply(ANSWER)
    table = {"use": "openai", "preset": preset, "base_url": f"{upstream.url}/v1", "api_key": "not-a-real-key"}
    async with gateway_factory({"provider": {"up": table}, **tables}) as gateway, gateway.client as http:
        answer = await http.post("/v1/messages", json=ASKED)
    return answer.status_code, answer.headers.get("x-gateway-dropped"), answer.json()


@pytest.mark.parametrize("preset", ["openrouter", "qwen", "vercel"])
async def test_services_that_take_hints_get_them(
    gateway_factory: GatewayFactory, upstream: FakeUpstream, preset: str
):
    status, dropped, answer = await asked(gateway_factory, upstream, preset)
    assert (status, dropped, answer["content"][0]["text"]) == (200, None, "Hi")
    (request,) = upstream.requests
    system, user, assistant, tool = json.loads(request.body)["messages"]
    assert request.path == "/v1/chat/completions"
    assert system["content"] == [{"type": "text", "text": "Be brief.", **HOUR}]
    assert user["content"] == [{"type": "text", "text": "How many bells?", **HINT}]
    assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"]
    assert tool["content"] == [{"type": "text", "text": "12", **HINT}]


@pytest.mark.parametrize("preset", ["openai", "groq", "litellm"])
async def test_for_others_hints_are_dropped_and_that_is_told(
    gateway_factory: GatewayFactory, upstream: FakeUpstream, preset: str
):
    status, dropped, _ = await asked(gateway_factory, upstream, preset)
    assert (status, dropped) == (200, "cache_control")
    assert b"cache_control" not in upstream.requests[0].body


async def test_hints_are_refused_by_name_where_nothing_may_be_dropped(
    gateway_factory: GatewayFactory, upstream: FakeUpstream
):
    status, _, answer = await asked(gateway_factory, upstream, "groq", gateway={"drop_params": False})
    assert status == 400
    assert "'cache_control'" in answer["error"]["message"]
    assert not upstream.requests


async def test_hints_in_a_chat_reach_anthropic(gateway_factory: GatewayFactory, upstream: FakeUpstream):
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    reply = Reply(headers={"content-type": "application/json"}, parts=[json.dumps(message).encode()])
    upstream.reply(reply)
    function = {"type": "function", "function": {"name": "count", "parameters": {"type": "object"}}, **HINT}
    chat = {
        "model": "anthropic/m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", **HOUR}]}],
        "tools": [function],
    }
    table = {"base_url": f"{upstream.url}/v1", "api_key": "not-a-real-key"}
    async with gateway_factory({"provider": {"anthropic": table}}) as gateway, gateway.client as http:
        answer = await http.post("/v1/chat/completions", json=chat)
    assert (answer.status_code, answer.headers.get("x-gateway-dropped")) == (200, None)
    sent = json.loads(upstream.requests[0].body)
    assert sent["messages"][0]["content"] == [{"type": "text", "text": "Hi", **HOUR}]
    assert sent["tools"][0]["cache_control"] == HINT["cache_control"]


async def test_a_clients_own_chat_passes_untouched(gateway_factory: GatewayFactory, upstream: FakeUpstream):
    upstream.reply(ANSWER)
    chat = b'{"model": "up/m",  "messages": [{"role": "user", "content": "Hi", "odd": 1}]}'
    table = {
        "use": "openai",
        "preset": "openrouter",
        "base_url": f"{upstream.url}/v1",
        "api_key": "not-a-key",
    }
    async with gateway_factory({"provider": {"up": table}}) as gateway, gateway.client as http:
        await http.post("/v1/chat/completions", content=chat, headers={"content-type": "application/json"})
    assert json.loads(upstream.requests[0].body) == {**json.loads(chat), "model": "m"}
    assert b'"odd": 1' in upstream.requests[0].body
