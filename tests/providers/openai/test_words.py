"""What was translated is said in words that the service knows; what a client wrote itself is left alone."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.testing.fakes import make_call
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Attempt, Call, Target
from gateway.wire import exchange

ANSWER = Reply(
    headers={"content-type": "application/json"},
    parts=[b'{"id":"1","choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":1}}'],
)
BODY: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    "max_completion_tokens": 7,
}


async def received(
    plugin: Any, upstream: FakeUpstream, call: Call, body: bytes, preset: str
) -> dict[str, Any]:
    upstream.reply(ANSWER)
    (provider,) = plugin(preset=preset).register_providers()
    target = Target("acme", "m", "openai.chat")
    await provider.send(Attempt(call=call, target=target, number=1, body=body))
    return json.loads(upstream.requests[-1].body)


@pytest.mark.parametrize(
    ("preset", "role", "limit"),
    [
        ("openai", "developer", "max_completion_tokens"),
        ("deepseek", "system", "max_tokens"),
        ("vllm", "system", "max_tokens"),
    ],
)
async def test_translated_requests_are_said_in_known_words(
    plugin: Any, upstream: FakeUpstream, preset: str, role: str, limit: str
):
    asked = make_call({"model": "m", "prompt": "Hi", "max_tokens": 7}, dialect="openai.completions")
    body = exchange(asked, "openai.chat", provider="acme").prepare("m")
    assert await received(plugin, upstream, asked, body, preset) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        limit: 7,
    }
    translated = msgspec.structs.replace(make_call(BODY), dialect="anthropic.messages")
    got = await received(plugin, upstream, translated, msgspec.json.encode(BODY), preset)
    assert [message["role"] for message in got["messages"]] == [role, "user"]


async def test_a_clients_own_words_are_left_alone(plugin: Any, upstream: FakeUpstream):
    body = msgspec.json.encode(BODY)
    assert await received(plugin, upstream, make_call(BODY), body, "deepseek") == BODY


@pytest.mark.parametrize(
    ("preset", "has"), [("openai", True), ("vllm", True), ("groq", False), ("mistral", False)]
)
def test_completions_are_asked_of_services_that_have_them(plugin: Any, preset: str, has: bool):
    (provider,) = plugin(preset=preset).register_providers()
    assert ("completion" in provider.dialects) is has


async def test_completions_have_a_path_of_their_own(plugin: Any, upstream: FakeUpstream):
    upstream.reply(ANSWER)
    call = make_call({"model": "m", "prompt": "Hi"}, dialect="openai.completions")
    (provider,) = plugin(preset="vllm").register_providers()
    target = Target("acme", "m", provider.dialects["completion"])
    await provider.send(Attempt(call=call, target=target, number=1, body=call.body))
    assert (upstream.requests[0].path, upstream.requests[0].body) == ("/v1/completions", call.body)
