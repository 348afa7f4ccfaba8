"""Thoughts, signatures and what else OpenAI has no field for: they come back from a client that sends back what it got."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.errors import InvalidRequest
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Choice,
    End,
    Event,
    Message,
    Part,
    Start,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnd,
    ToolCall,
    ToolCallDelta,
    ToolCallStart,
)
from gateway.wire.codec import Losses
from gateway.wire.openai_chat import OpenAIChatCodec

from ..canonical_strategies import Features
from ..canonical_streams import answers, gathered, streams

CODEC = OpenAIChatCodec()
ASKED = ChatRequest(dialect="openai.chat", model="m", messages=())
CLAUDE = Features(
    dialect="anthropic.messages",
    thinking=True,
    encrypted=True,
    refusals=True,
    citations=("stretch",),
    stops=("stop", "length", "content_filter"),
)
SLOWLY = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def sent_back(message: dict[str, Any]) -> tuple[Part, ...]:
    """What the gateway reads when a client sends back the message that it got."""
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}, message]}
    read = CODEC.decode_request(json.dumps(body).encode(), model="m", stream=False)
    return read.messages[1].parts


def bare(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Without citations, which are not sent back."""
    return tuple(Text(text=part.text) if isinstance(part, Text) else part for part in parts)


@SLOWLY
@given(answers(CLAUDE))
def test_signed_thoughts_survive_the_sdk(answer: ChatAnswer) -> None:
    completion = ChatCompletion.model_validate_json(CODEC.encode_answer(answer, ASKED))
    message = completion.choices[0].message.model_dump(exclude_none=True)
    assert sent_back(message) == bare(answer.choices[0].parts)


@SLOWLY
@given(streams(CLAUDE))
def test_signed_thoughts_survive_the_sdks_streaming(events: list[Event]) -> None:
    written = CODEC.encoder(ASKED).encode(events)
    state = ChatCompletionStreamState()
    for event in written.split(b"\n\n")[:-2]:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(event.removeprefix(b"data: ")))
    completion = state.current_completion_snapshot
    message = completion.choices[0].message.model_dump(exclude_none=True)
    thoughts = [part for part in sent_back(message) if isinstance(part, Thinking)]
    expected = [event for event in events if isinstance(event, ThinkingEnd)]
    assert [(t.signature, t.encrypted, t.origin) for t in thoughts] == [
        (end.signature, end.encrypted, end.origin) for end in expected
    ]
    said = "".join(event.text for event in events if isinstance(event, ThinkingDelta))
    assert "".join(thought.text for thought in thoughts) == said
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == (
        completion.choices[0].message.content or ""
    )


@SLOWLY
@given(streams(CLAUDE))
def test_another_gateway_reads_each_thought_once(events: list[Event]) -> None:
    decoder = CODEC.decoder()
    read = [*decoder.feed(CODEC.encoder(ASKED).encode(events)), *decoder.end()]
    assert bare(gathered(read).choices[0].parts) == bare(gathered(events).choices[0].parts)


def test_signatures_of_gemini_survive() -> None:
    parts = (
        Text(text="Hm.", signature="sign-1"),
        ToolCall(id="call_1", name="look", arguments="{}", signature="sign-2"),
    )
    answer = ChatAnswer(id="1", model="m", choices=(Choice(parts=parts, stop="tool_calls"),))
    body = json.loads(CODEC.encode_answer(answer, ASKED))
    message = body["choices"][0]["message"]
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "sign-2"}}
    assert sent_back(message) == parts
    events: list[Event] = [
        Start("1", "m"),
        TextDelta("Hm.", signature="sign-1"),
        ToolCallStart(0, "call_1", "look", signature="sign-2"),
        ToolCallDelta(0, "{}"),
        Stop("tool_calls"),
    ]
    decoder = CODEC.decoder()
    written = CODEC.encoder(ASKED).encode([*events, End()])
    assert [type(event) for event in decoder.feed(written)] == [*map(type, events), End]
    assert list(CODEC.decoder().feed(written))[1:4] == events[1:4]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_of_compatible_services_are_read(name: str) -> None:
    message = {"role": "assistant", "content": "Four.", name: "Two and two."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = CODEC.decode_answer(json.dumps({"id": "1", "choices": [choice]}).encode())
    assert answer.choices[0].parts == (Thinking(text="Two and two."), Text(text="Four."))
    decoder = CODEC.decoder()
    chunk = {"choices": [{"index": 0, "delta": {name: "Two"}, "finish_reason": None}]}
    assert list(decoder.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n"))[1:] == [ThinkingDelta("Two")]


def test_the_thoughts_of_mistral_are_read() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Two and two."}]},
        {"type": "text", "text": "Four."},
    ]
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    answer = CODEC.decode_answer(json.dumps({"id": "1", "choices": [choice]}).encode())
    assert answer.choices[0].parts == (Thinking(text="Two and two."), Text(text="Four."))
    decoder = CODEC.decoder()
    chunk = {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": "stop"}]}
    events = decoder.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    assert list(events)[1:3] == [ThinkingDelta("Two and two."), TextDelta("Four.")]


def test_details_of_openrouter_are_read_piece_by_piece() -> None:
    first = {"type": "reasoning.text", "text": "Two", "format": "anthropic-claude-v1", "index": 0}
    last = {"type": "reasoning.text", "signature": "sign", "format": "anthropic-claude-v1", "index": 0}
    events: list[Event] = []
    decoder = CODEC.decoder()
    for delta in ({"reasoning": "Two", "reasoning_details": [first]}, {"reasoning_details": [last]}):
        chunk = {"choices": [{"index": 0, "delta": delta}]}
        events += decoder.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    assert events[1:] == [ThinkingDelta("Two"), ThinkingEnd(0, "sign", origin="anthropic.messages")]


@pytest.mark.parametrize(
    ("thought", "goes"),
    [
        (Thinking(text="Hm."), True),
        (Thinking(text="Hm.", origin="openai.chat"), True),
        (Thinking(text="Hm.", signature="s", origin="anthropic.messages"), False),
        (Thinking(encrypted="x", origin="openai.responses"), False),
    ],
)
def test_only_thoughts_of_its_own_are_sent_upstream(thought: Thinking, goes: bool) -> None:
    message = Message(role="assistant", parts=(thought, Text(text="Four.")))
    request = ChatRequest(dialect="anthropic.messages", model="m", messages=(message,))
    losses = Losses("p", {}, may_drop={"thinking"})
    written = json.loads(CODEC.encode_request(request, "m", losses))
    losses.check()
    assert losses.dropped == ([] if goes else ["thinking"])
    assert written["messages"] == [
        {"role": "assistant", "content": "Four.", **({"reasoning_content": "Hm."} if goes else {})}
    ]
    strict = Losses("p", {})
    CODEC.encode_request(request, "m", strict)
    if not goes:
        with pytest.raises(InvalidRequest, match="'thinking'"):
            strict.check()


@SLOWLY
@given(st.text(min_size=1))
def test_an_unsigned_thought_is_only_a_text(text: str) -> None:
    answer = ChatAnswer(id="1", model="m", choices=(Choice(parts=(Thinking(text=text), Text(text="a"))),))
    message = json.loads(CODEC.encode_answer(answer, ASKED))["choices"][0]["message"]
    assert "reasoning_details" not in message
    assert message["reasoning_content"] == text
    assert sent_back(message) == answer.choices[0].parts
