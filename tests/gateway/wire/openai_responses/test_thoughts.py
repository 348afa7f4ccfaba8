"""Thoughts of other providers in a conversation that passes through to OpenAI."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.wire.openai_responses.sealed import seal_call
from gateway.wire.openai_responses.thoughts import own_thoughts_only

OWN: Any = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAB"}
KEPT: Any = {"type": "reasoning", "id": "rs_0123", "summary": []}
WORDS = {"role": "user", "content": 'Is "gateway1." a word, and "rs_gw_1"?'}
FOREIGN: Any = [
    {"type": "reasoning", "id": "rs_gw_0123", "summary": []},
    {"type": "reasoning", "summary": [], "encrypted_content": seal_call("call_1", "c2ln")},
]


def body(*items: Any) -> bytes:
    return json.dumps({"model": "m", "input": items, "new": 1}).encode()


@pytest.mark.parametrize("foreign", FOREIGN)
def test_they_are_taken_out(foreign: dict[str, Any]) -> None:
    sent = own_thoughts_only(body(WORDS, foreign, OWN, KEPT))
    assert json.loads(sent) == json.loads(body(WORDS, OWN, KEPT))


@pytest.mark.parametrize(
    "untouched",
    [
        body(OWN, KEPT, WORDS),
        body({**OWN, "id": "rs_gw_1"}),
        body({"type": "message", "id": "rs_gw_1"}, 5),
        b'{"input": "gateway1."}',
        b'{"input": "rs_gw_',
    ],
)
def test_everything_else_stays_as_it_is(untouched: bytes) -> None:
    assert own_thoughts_only(untouched) is untouched
