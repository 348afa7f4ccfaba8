"""Counts of tokens: Anthropic's own, and the gateway's estimate."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import ESTIMATE, WireError, exchange, translates
from gateway.wire.anthropic_count_tokens import AnthropicCountTokens

DIALECT = "anthropic.count_tokens"
WORDS = {"model": "m", "messages": [{"role": "user", "content": "Twelve chars"}]}


def estimated(**fields: Any) -> int:
    turn = exchange(make_call({**WORDS, **fields}, dialect=DIALECT), ESTIMATE, provider="p")
    body, usage = turn.whole(turn.prepare("m"))
    assert usage == Usage()
    return json.loads(body)["input_tokens"]


def test_anthropics_own_count_passes() -> None:
    call = make_call(WORDS, dialect=DIALECT)
    turn = exchange(call, DIALECT, provider="anthropic")
    assert turn.prepare("m") == call.body
    assert turn.whole(b'{"input_tokens": 14, "new": 1}') == (b'{"input_tokens": 14, "new": 1}', Usage())
    with pytest.raises(WireError):
        turn.whole(b"nonsense")


def test_an_estimate_grows_with_all_that_is_sent() -> None:
    assert estimated() == 3
    assert estimated(system="Four") == 4
    tool = {"name": "f", "input_schema": {"type": "object"}}
    assert estimated(tools=[tool]) > 3
    image = {"type": "image", "source": {"type": "url", "url": "https://x/y"}}
    nested = {"type": "tool_result", "tool_use_id": "a", "content": [image]}
    assert estimated(messages=[{"role": "user", "content": [image, nested]}]) == 2000


def test_only_counts_are_translated_into_counts() -> None:
    assert translates(DIALECT, ESTIMATE)
    assert not translates("anthropic.messages", ESTIMATE)
    assert not translates(DIALECT, "anthropic.messages")


def test_a_limit_is_not_needed_to_count() -> None:
    assert AnthropicCountTokens().read(json.dumps(WORDS).encode()).model == "m"
    with pytest.raises(InvalidRequest, match="messages"):
        AnthropicCountTokens().read(b'{"model": "m", "messages": []}')
