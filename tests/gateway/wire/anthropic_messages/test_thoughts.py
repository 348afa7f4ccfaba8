"""Thoughts of other providers in a conversation that passes through to Anthropic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.wire.anthropic_messages.thoughts import as_if_its_own

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
    assert json.loads(as_if_its_own(body(foreign, OWN, WORDS))) == json.loads(body(OWN, WORDS))
    assert len(json.loads(as_if_its_own(body(foreign)))["messages"]) == 1


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
    assert as_if_its_own(untouched) is untouched


def step(call: str, *before: Any, **thinking: Any) -> bytes:
    """A conversation that ends with the result of a call."""
    used: Any = {"type": "tool_use", "id": call, "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": call, "content": "Sun"}
    messages: Any = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [*before, used]},
        {"role": "user", "content": [result]},
    ]
    return json.dumps({"model": "m", "messages": messages, "thinking": thinking}).encode()


BUDGET: Any = {"type": "enabled", "budget_tokens": 1024}


@pytest.mark.parametrize("before", [[], [WORDS], FOREIGN])
def test_it_does_not_think_on_after_what_another_has_called(before: list[Any]) -> None:
    sent = json.loads(as_if_its_own(step("call_1", *before, **BUDGET)))
    kept = [one for one in before if one == WORDS]
    assert sent == json.loads(step("call_1", *kept, type="disabled"))


@pytest.mark.parametrize("others", [[], [{"type": "clear_tool_uses_20250919"}]])
def test_without_thinking_no_thoughts_are_cleared(others: list[Any]) -> None:
    fields = json.loads(step("call_1", **BUDGET))
    edits = [{"type": "clear_thinking_20251015", "keep": "all"}, *others]
    sent = json.loads(as_if_its_own(json.dumps({**fields, "context_management": {"edits": edits}}).encode()))
    assert sent.get("context_management") == ({"edits": others} if others else None)


@pytest.mark.parametrize(
    "untouched",
    [
        step("toolu_1", **BUDGET),  # a client that has lost Claude's thoughts hears of it from Anthropic
        step("call_1", OWN, **BUDGET),
        step("call_1", type="adaptive"),
        step("call_1", **BUDGET).replace(b'"content": [{', b'"content": [5, {'),
    ],
)
def test_it_thinks_on_wherever_it_can(untouched: bytes) -> None:
    assert as_if_its_own(untouched) is untouched
