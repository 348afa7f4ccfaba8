"""The strategies keep the rules of the canonical form, for every test of a dialect rests on them."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from gateway.wire.canonical import (
    ChatRequest,
    Event,
    TextDelta,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolResult,
)

from .canonical_strategies import FIELDS, Features, requests
from .canonical_streams import gathered, streams

ALL = Features(
    dialect="anthropic.messages",
    opening=("system", "developer"),
    names=True,
    data_images=True,
    url_images=True,
    details=("low", "high", "auto"),
    audio=("audio/wav",),
    video=("video/mp4",),
    documents=("application/pdf",),
    document_names=True,
    text_documents=True,
    files=True,
    caches=(None, "5m"),
    cached=frozenset({"audio", "assistant", "tools", "results"}),
    thinking=True,
    encrypted=True,
    refusals=True,
    strict=True,
    custom_tools=True,
    allowed_tools=True,
    result_names=True,
    result_errors=True,
    result_images=True,
    schemas=True,
    schema_names=True,
    fields=frozenset(FIELDS) | {"reasoning_effort", "reasoning_budget"},
    choices=3,
    document_notes=True,
    cited_turns=("stretch", "address", "place"),
    tiers=("auto", "default"),
    citations=("stretch", "address", "place"),
    logprobs=True,
    top_logprobs=True,
    token_bytes=True,
    refusal_logprobs=True,
    pictures=True,
    safety=({"type": "refusal"},),
    stops=("stop", "length", "stop_sequence"),
    sequences=True,
    served=("default", "priority"),
    usage=frozenset({"cached_read_tokens", "reasoning_tokens"}),
)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(requests(ALL))
def test_requests_keep_the_rules(request: ChatRequest) -> None:
    before = None
    for message in request.messages:
        assert all(isinstance(part, ToolResult) == (message.role == "tool") for part in message.parts)
        if message.role != "assistant":
            assert not any(isinstance(part, ToolCall | Thinking) for part in message.parts)
        if message.role == "tool":
            assert before is not None
            asked = [part.id for part in before.parts if isinstance(part, ToolCall)]
            assert [part.id for part in message.parts if isinstance(part, ToolResult)] == asked
        before = message


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(streams(ALL))
def test_a_stream_amounts_to_the_same_however_it_is_cut(events: list[Event]) -> None:
    finer: list[Event] = []
    for event in events:
        match event:
            case TextDelta():
                finer += [TextDelta(letter, event.choice) for letter in event.text]
            case ToolCallDelta():
                finer += [ToolCallDelta(event.index, letter, event.choice) for letter in event.arguments]
            case _:
                finer.append(event)
    answer = gathered(events)
    assert gathered(finer) == answer
    assert all(choice.parts and choice.stop for choice in answer.choices)
