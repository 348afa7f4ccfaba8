"""Whole answers of Cohere."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.types import Usage
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Choice,
    Citation,
    Message,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
)
from gateway.wire.cohere_chat import CohereChatCodec
from gateway.wire.dialect import WireError

HERE = Path(__file__).parent
CODEC = CohereChatCodec()


def decode(message: dict[str, Any], **fields: Any) -> ChatAnswer:
    return CODEC.decode_answer(json.dumps({"id": "a", "message": message, **fields}).encode())


def test_text_thoughts_citations_and_usage() -> None:
    answer = CODEC.decode_answer((HERE / "answer.json").read_bytes())
    assert answer == ChatAnswer(
        id="c14c80c3-18eb-4519-9460-6c92edd8cfb4",
        model="",
        choices=(
            Choice(
                parts=(
                    Thinking(text="The note is short."),
                    Text(
                        text="Buy milk today.",
                        citations=(
                            Citation(title="Note", cited="milk, bread", start=4, end=8, document=2),
                            Citation(title="call_a:0", cited='{"list":"milk"}', start=4, end=8),
                        ),
                    ),
                ),
                stop="stop",
                logprobs=(TokenLogprob(token="Buy milk", logprob=-0.75, bytes=tuple(b"Buy milk")),),
            ),
        ),
        usage=Usage(prompt_tokens=11, completion_tokens=9, cached_read_tokens=11),
    )


def test_tool_calls_after_their_plan() -> None:
    calls = [
        {"id": "x", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}},
        {"type": "function", "function": {"name": "time"}},
    ]
    answer = decode({"tool_plan": "I will ask.", "tool_calls": calls}, finish_reason="TOOL_CALL")
    (choice,) = answer.choices
    assert choice.stop == "tool_calls"
    assert choice.parts == (
        Thinking(text="I will ask.", id="tool_plan", origin="cohere.chat"),
        ToolCall(id="x", name="weather", arguments='{"city":"Oslo"}'),
        ToolCall(id="call_1", name="time", arguments="{}"),
    )


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop_sequence"),
        ("MAX_TOKENS", "length"),
        ("ERROR_TOXIC", "content_filter"),
        ("ERROR_LIMIT", "context"),
        ("SOMETHING_NEW", "stop"),
    ],
)
def test_finish_reasons(said: str, meant: str) -> None:
    assert decode({"content": []}, finish_reason=said).choices[0].stop == meant


@pytest.mark.parametrize("reason", ["ERROR", "TIMEOUT"])
def test_a_failure_is_no_answer(reason: str) -> None:
    with pytest.raises(WireError, match="provider"):
        decode({"content": [{"type": "text", "text": "Half of"}]}, finish_reason=reason)


def test_billed_units_count_where_no_tokens_are_told() -> None:
    usage = {"billed_units": {"input_tokens": 3.0, "output_tokens": 4.0, "search_units": 2.0}}
    assert decode({}, usage=usage).usage == Usage(prompt_tokens=3, completion_tokens=4, searches=2)


def test_usage_is_estimated_where_none_is_told() -> None:
    request = ChatRequest(
        dialect="openai.chat", model="m", messages=(Message(role="user", parts=(Text(text="12345678"),)),)
    )
    answer = decode({"content": [{"type": "text", "text": "1234"}]})
    assert CODEC.usage(answer, request) == Usage(prompt_tokens=2, completion_tokens=1, estimated=True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["message", "content", "text", "thinking", "tool_calls", "function", "citations", "usage"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_nothing_but_a_wire_error(body: bytes) -> None:
    with contextlib.suppress(WireError):
        CODEC.decode_answer(body)
