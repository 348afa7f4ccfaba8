"""What clients give back of other providers' thoughts goes only to services that say such things themselves."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.testing.fakes import make_call
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Attempt, Target
from gateway.wire import exchange

ANSWER = Reply(
    headers={"content-type": "application/json"},
    parts=[b'{"id":"1","choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":1}}'],
)
SIGNED = {"google": {"thought_signature": "c2lnbmVk"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
PLAIN: dict[str, Any] = {
    "role": "assistant",
    "content": "Hm.",
    "reasoning_content": "So.",
    "tool_calls": [CALL],
}
DETAILS = [{"type": "reasoning.text", "text": "So.", "signature": "c2ln", "format": "anthropic-claude-v1"}]
RESULT = {
    "role": "tool",
    "tool_call_id": "call_1",
    "content": "reasoning_details and extra_content are words",
}


def conversation(said: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "Hi"}, said, RESULT], "x": 1}


async def received(plugin: Any, upstream: FakeUpstream, body: bytes, **config: Any) -> bytes:
    upstream.reply(ANSWER)
    (provider,) = plugin(**config).register_providers()
    target = Target("acme", "m", provider.dialects["chat"])
    await provider.send(
        Attempt(call=msgspec.structs.replace(make_call(), body=body), target=target, number=1, body=body)
    )
    return upstream.requests[-1].body


@pytest.mark.parametrize(
    ("config", "text", "details", "signatures"),
    [
        ({"preset": "openai"}, False, False, False),
        ({"preset": "groq"}, False, False, False),
        ({"preset": "cerebras"}, False, False, False),
        ({"preset": "mistral"}, False, False, False),
        ({"preset": "qwen"}, True, False, False),
        ({"preset": "openrouter"}, True, True, False),
        ({"preset": "minimax"}, True, True, False),
        ({"preset": "gemini"}, False, False, True),
        ({"preset": "litellm"}, True, True, True),
        ({}, True, True, True),
    ],
)
async def test_thoughts_of_others_go_where_they_are_known(
    plugin: Any, upstream: FakeUpstream, config: dict[str, Any], text: bool, details: bool, signatures: bool
):
    call = {**CALL, "extra_content": SIGNED}
    said = {**PLAIN, "tool_calls": [call], "reasoning_details": DETAILS, "extra_content": SIGNED}
    expected = {**PLAIN, "tool_calls": [call if signatures else CALL]}
    if not text:
        del expected["reasoning_content"]
    if details:
        expected["reasoning_details"] = DETAILS
    if signatures:
        expected["extra_content"] = SIGNED
    body = json.dumps(conversation(said)).encode()
    assert json.loads(await received(plugin, upstream, body, **config)) == conversation(expected)


@pytest.mark.parametrize(("preset", "thinks"), [("groq", False), ("mistral", False), ("deepseek", True)])
async def test_thoughts_in_other_dialects_too(plugin: Any, upstream: FakeUpstream, preset: str, thinks: bool):
    content = [{"type": "thinking", "thinking": "So.", "signature": ""}, {"type": "text", "text": "Hm."}]
    asked = make_call(
        {
            "model": "m",
            "max_tokens": 9,
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": content},
                {"role": "user", "content": "Go on"},
            ],
        },
        dialect="anthropic.messages",
    )
    upstream.reply(ANSWER)
    (provider,) = plugin(preset=preset).register_providers()
    body = exchange(asked, "openai.chat", provider="acme").prepare("m")
    await provider.send(Attempt(call=asked, target=Target("acme", "m", "openai.chat"), number=1, body=body))
    said = json.loads(upstream.requests[-1].body)["messages"][1]
    assert said["content"] == "Hm."
    assert said.get("reasoning_content") == ("So." if thinks else None)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "assistant", "content": "reasoning_content"}, RESULT],
        ["extra_content", {"role": "assistant", "tool_calls": "extra_content"}],
        [{"role": "user", "content": "Hi", "extra_content": SIGNED}],
    ],
)
async def test_bytes_without_them_are_untouched(plugin: Any, upstream: FakeUpstream, messages: list[Any]):
    body = json.dumps({"model": "m", "messages": messages}, indent=3).encode()
    assert await received(plugin, upstream, body, preset="groq") == body


async def test_nesting_too_deep_to_read_is_left_to_the_service(plugin: Any, upstream: FakeUpstream):
    deep = b"[" * 500 + b"]" * 500
    body = b'{"model": "m", "messages": [{"role": "assistant", "content": "", "extra_content": %b}]}' % deep
    assert json.loads(await received(plugin, upstream, body, preset="groq"))["model"] == "m"
