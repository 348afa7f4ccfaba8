"""Answers of Converse, and back."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.types import Usage
from gateway.wire.bedrock_converse import BedrockConverse
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Citation,
    Foreign,
    Message,
    Text,
    Thinking,
    ToolCall,
)
from gateway.wire.dialect import WireError

from ..canonical_strategies import Features
from ..canonical_streams import answers

CODEC = BedrockConverse()
REQUEST = ChatRequest(
    dialect="openai.chat", model="m", messages=(Message(role="user", parts=(Text(text="12345678"),)),)
)
FEATURES = Features(
    dialect="bedrock.converse",
    thinking=True,
    encrypted=True,
    stops=("stop", "length", "stop_sequence", "content_filter", "context"),
    usage=frozenset({"cached_read_tokens", "cached_write_tokens"}),
)

GOLDEN: dict[str, Any] = {
    "metrics": {"latencyMs": 1275},
    "output": {
        "message": {
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Let me see.", "signature": "c2lnbmVk"}}},
                {"reasoningContent": {"redactedContent": "aGlkZGVu"}},
                {"text": "Sunny, as the report says: "},
                {
                    "citationsContent": {
                        "content": [{"text": "21 degrees."}],
                        "citations": [
                            {
                                "title": "Report",
                                "sourceContent": [{"text": "It will be 21 degrees"}],
                                "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}},
                            },
                            {"location": {"web": {"url": "https://example.com/w", "domain": "example.com"}}},
                        ],
                    }
                },
                {"toolUse": {"toolUseId": "tooluse_a", "name": "dress", "input": {"for": "heat"}}},
                {"somethingNew": {"a": 1}},
            ],
            "role": "assistant",
        }
    },
    "stopReason": "tool_use",
    "usage": {
        "inputTokens": 10,
        "outputTokens": 20,
        "totalTokens": 72,
        "cacheReadInputTokens": 40,
        "cacheWriteInputTokens": 2,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 2}],
    },
    "serviceTier": {"type": "flex"},
    "trace": {"guardrail": {"actionReason": "none"}},
}


def test_golden() -> None:
    answer = CODEC.decode_answer(json.dumps(GOLDEN).encode())
    (choice,) = answer.choices
    assert choice.parts == (
        Thinking(text="Let me see.", signature="c2lnbmVk", origin="bedrock.converse"),
        Thinking(encrypted="aGlkZGVu", origin="bedrock.converse"),
        Text(text="Sunny, as the report says: "),
        Text(
            text="21 degrees.",
            citations=(
                Citation(title="Report", cited="It will be 21 degrees", document=0, location=("page", 1, 2)),
                Citation(url="https://example.com/w"),
            ),
        ),
        ToolCall(id="tooluse_a", name="dress", arguments='{"for": "heat"}'),
        Foreign(dialect="bedrock.converse", type="somethingNew", value={"somethingNew": {"a": 1}}),
    )
    assert choice.stop == "tool_calls"
    assert choice.safety == {"actionReason": "none"}
    assert answer.service_tier == "flex"
    usage = Usage(prompt_tokens=52, completion_tokens=20, cached_read_tokens=40, cached_write_tokens=2)
    assert answer.usage == usage == CODEC.usage(answer, REQUEST)


def test_golden_and_back() -> None:
    answer = CODEC.decode_answer(json.dumps(GOLDEN).encode())
    written = json.loads(CODEC.encode_answer(answer, REQUEST))
    expected: dict[str, Any] = json.loads(json.dumps(GOLDEN))
    expected["metrics"] = {"latencyMs": 0}
    del expected["usage"]["cacheDetails"]
    cited = expected["output"]["message"]["content"][3]["citationsContent"]
    del cited["citations"][1]["location"]["web"]["domain"]
    assert written == expected


def test_every_answer_has_an_id_of_its_own() -> None:
    body = json.dumps(GOLDEN).encode()
    assert CODEC.decode_answer(body).id != CODEC.decode_answer(body).id


@pytest.mark.parametrize(
    ("word", "stop"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("guardrail_intervened", "content_filter"),
        ("malformed_tool_use", "error"),
        ("model_context_window_exceeded", "context"),
        ("something_new", "stop"),
    ],
)
def test_stop_reasons(word: str, stop: str) -> None:
    body = json.dumps({**GOLDEN, "stopReason": word}).encode()
    assert CODEC.decode_answer(body).choices[0].stop == stop


def test_usage_that_was_not_told_is_estimated() -> None:
    body = b'{"output": {"message": {"content": [{"text": "abcdefgh"}]}}, "stopReason": "end_turn"}'
    usage = CODEC.usage(CODEC.decode_answer(body), REQUEST)
    assert usage == Usage(prompt_tokens=2, completion_tokens=2, estimated=True)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answers(FEATURES))
def test_round_trip(answer: ChatAnswer) -> None:
    back = CODEC.decode_answer(CODEC.encode_answer(answer, REQUEST))
    assert (back.choices, back.usage) == (answer.choices, answer.usage)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=100) | st.recursive(st.none() | st.text(), st.lists).map(msgspec.json.encode))
def test_no_bytes_crash_it(body: bytes) -> None:
    with contextlib.suppress(WireError):
        CODEC.decode_answer(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"message": "x"}', b'{"output": {"message": {"content": [{"toolUse": {}}]}}}', b"{"],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(WireError):
        CODEC.decode_answer(body)
