"""Counting tokens in Gemini's dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from gateway.errors import InvalidRequest
from gateway.testing.fakes import make_call
from gateway.wire import CODECS, ESTIMATE, WIRES, Given
from gateway.wire.canonical.tokens import TokenCount
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.gemini_count_tokens import GeminiCountTokens, GeminiCountTokensCodec

CODEC = GeminiCountTokensCodec()
CONTENTS: list[dict[str, Any]] = [{"role": "user", "parts": [{"text": "How many?"}]}]


def read(body: dict[str, Any]) -> Any:
    return CODEC.decode_request(json.dumps(body).encode(), model="m", stream=False)


def test_both_ways_to_ask_are_understood() -> None:
    whole = {"generate_content_request": {"model": "models/m", "contents": CONTENTS}}
    assert read(whole) == read({"contents": CONTENTS})
    sent = json.loads(CODEC.encode_request(read(whole), "n", Losses("gemini", {})))
    assert sent == {"generateContentRequest": {"model": "models/n", "contents": CONTENTS}}


def test_counts_survive() -> None:
    count = TokenCount(prompt_tokens=7, cached_tokens=2)
    body = CODEC.encode_answer(count, read({"contents": CONTENTS}))
    assert json.loads(body) == {"totalTokens": 7, "cachedContentTokenCount": 2}
    assert CODEC.decode_answer(body) == count


def test_others_are_estimated() -> None:
    estimate = CODECS[ESTIMATE]
    counted = estimate.decode_answer(
        estimate.encode_request(read({"contents": CONTENTS}), "m", Losses("other", {}))
    )
    assert counted.prompt_tokens == 3


def test_the_model_within_is_that_of_the_path() -> None:
    wire = WIRES["gemini.count_tokens"]
    call = make_call()
    plain = json.dumps({"contents": CONTENTS}).encode()
    inner = json.dumps({"generateContentRequest": {"model": "models/a", "contents": CONTENTS}}).encode()
    for body, model in ((plain, None), (inner, "models/b")):
        prepared = wire.prepare(structs.replace(call, body=body), "b")
        assert json.loads(prepared).get("generateContentRequest", {}).get("model") == model


@pytest.mark.parametrize("body", [b"{}", b'{"contents": []}', b'{"contents": 1}', b"[]", b"nonsense"])
def test_bad_requests_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        GeminiCountTokens().read(body, Given(model="m"))
    with pytest.raises(InvalidRequest):
        GeminiCountTokens().read(json.dumps({"contents": CONTENTS}).encode())


def test_what_is_no_count() -> None:
    with pytest.raises(WireError):
        CODEC.decode_answer(b"{}")
    with pytest.raises(WireError):
        GeminiCountTokens().usage(b"{}")
