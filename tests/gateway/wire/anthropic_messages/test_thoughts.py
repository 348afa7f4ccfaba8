"""Thoughts of other providers in a conversation that passes through to Anthropic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.wire.anthropic_messages.thoughts import own_thoughts_only

OWN = {"type": "thinking", "thinking": "", "signature": "c2ln"}
WORDS = {"type": "text", "text": "Hello"}
FOREIGN = [
    {"type": "thinking", "thinking": "Hm", "signature": ""},
    {"type": "thinking", "thinking": "Hm", "signature": "gateway:gemini.generate:s::c2ln"},
    {"type": "redacted_thinking", "data": "gateway:openai.responses:e:rs_1:eA=="},
]


def body(*blocks: Any) -> bytes:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": list(blocks)}]
    return json.dumps({"model": "m", "messages": messages, "new": 1}).encode()


@pytest.mark.parametrize("foreign", FOREIGN)
def test_they_are_taken_out(foreign: dict[str, str]) -> None:
    assert json.loads(own_thoughts_only(body(foreign, OWN, WORDS))) == json.loads(body(OWN, WORDS))
    assert len(json.loads(own_thoughts_only(body(foreign)))["messages"]) == 1


@pytest.mark.parametrize(
    "untouched",
    [
        body(OWN, WORDS),
        body({"type": "text", "text": '"gateway: a word"'}, {"type": "tool_use", "input": {"signature": ""}}),
        b'{"messages": "gateway:"}',
        b'{"messages": ["gateway:", {"content": 5}]}',
        b'"gateway:',
    ],
)
def test_everything_else_stays_as_it_is(untouched: bytes) -> None:
    assert own_thoughts_only(untouched) is untouched
