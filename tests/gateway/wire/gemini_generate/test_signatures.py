"""What other providers' models have thought and called, for a Gemini client, and in a conversation that passes through to Gemini."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.wire.canonical import ChatAnswer, ChatRequest, Choice, Thinking, ToolCall
from gateway.wire.gemini_generate.answer import decode_answer, encode_answer
from gateway.wire.gemini_generate.signatures import own_thoughts_only, written

UNSIGNED = "skip_thought_signature_validator"
FOREIGN = written(Thinking(signature="c2ln", origin="anthropic.messages"))
OWN = {"text": "Hm", "thought": True, "thoughtSignature": "c2ln"}
WORDS = {"text": f"Is {FOREIGN} a word?"}


def body(*parts: Any) -> bytes:
    contents = [{"role": "user", "parts": [{"text": "Hi"}]}, {"role": "model", "parts": list(parts)}]
    return json.dumps({"contents": contents, "new": 1}).encode()


@pytest.mark.parametrize("name", ["thoughtSignature", "thought_signature"])
def test_foreign_thoughts_are_taken_out(name: str) -> None:
    foreign = {"text": "Hm", "thought": True, name: FOREIGN}
    assert json.loads(own_thoughts_only(body(foreign, OWN, WORDS))) == json.loads(body(OWN, WORDS))
    assert len(json.loads(own_thoughts_only(body(foreign)))["contents"]) == 1


@pytest.mark.parametrize(
    "untouched",
    [
        body(OWN, WORDS),
        body({"text": "Hm", "thoughtSignature": FOREIGN}, 5),
        json.dumps({"contents": FOREIGN}).encode(),
        json.dumps({"contents": [FOREIGN, {"parts": 5}]}).encode(),
        str(FOREIGN).encode(),
    ],
)
def test_everything_else_stays_as_it_is(untouched: bytes) -> None:
    assert own_thoughts_only(untouched) is untouched


@pytest.mark.parametrize("signature", [None, "c2ln"])
def test_the_first_call_of_an_answer_says_when_it_is_not_signed(signature: str | None) -> None:
    calls = [ToolCall(id=f"call_{n}", name="look", arguments="{}") for n in range(2)]
    calls[0] = ToolCall(id="call_0", name="look", arguments="{}", signature=signature)
    answer = ChatAnswer(id="a", model="m", choices=(Choice(parts=tuple(calls)),))
    encoded = encode_answer(answer, ChatRequest(model="m", messages=(), dialect="gemini.generate"))
    first, second = json.loads(encoded)["candidates"][0]["content"]["parts"]
    assert (first["thoughtSignature"], "thoughtSignature" in second) == (signature or UNSIGNED, False)
    assert decode_answer(encoded).choices[0].parts == tuple(calls)
