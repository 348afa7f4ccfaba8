"""What Gemini can say survives the canonical form, whole and streamed, however the stream is cut."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Choice,
    End,
    Event,
    Image,
    LogprobsDelta,
    MediaDelta,
    Source,
    Start,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnd,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.codec import Losses
from gateway.wire.dialect import StreamCut, StreamFailed, WireError
from gateway.wire.gemini_generate import GeminiGenerateCodec, GeminiReader

from ..canonical_strategies import (
    arguments,
    base64_data,
    identifiers,
    requests,
    words,
)
from ..canonical_streams import answers, gathered, packets, streams
from ..spoken import GEMINI_GENERATE as SAYS

DIALECT = "gemini.generate"
CODEC = GeminiGenerateCodec()
ASKED = ChatRequest(dialect=DIALECT, model="a-model", messages=())
SLOWLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def losses(*may_drop: str) -> Losses:
    return Losses("gemini", CODEC.names, may_drop=may_drop)


def again(request: ChatRequest) -> ChatRequest:
    told = losses()
    body = CODEC.encode_request(request, "gemini-3.5-flash", told)
    told.check()
    return CODEC.decode_request(body, model="a-model", stream=False)


@SLOWLY
@given(requests(SAYS))
def test_a_request_survives_but_for_neutral_values(request: ChatRequest) -> None:
    once = again(request)
    neutral = {
        name: getattr(once, name)
        for name in ("logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "tool_choice")
    }
    choice = neutral["tool_choice"]
    if choice is not None and request.tool_choice is not None and request.tool_choice.names:
        # A list of names under AUTO is said by VALIDATED, which binds the schemas, too.
        assert (choice.mode, choice.names) == (request.tool_choice.mode, request.tool_choice.names)
        neutral["tools"] = once.tools
        assert len(once.tools) == len(request.tools)
    else:
        assert choice == request.tool_choice
    assert all(
        value == getattr(request, name) or not getattr(request, name)
        for name, value in neutral.items()
        if name not in {"tool_choice", "tools"}
    )
    assert once == msgspec.structs.replace(request, **neutral)


@SLOWLY
@given(requests(SAYS))
def test_its_normal_form_is_stable(request: ChatRequest) -> None:
    once = again(request)
    assert again(once) == once


_parts = st.one_of(
    st.builds(Text, text=words(), signature=st.none() | base64_data),
    st.builds(Thinking, text=words(), signature=st.none() | base64_data, origin=st.just(DIALECT)),
    st.builds(
        ToolCall,
        id=identifiers,
        name=identifiers,
        arguments=arguments,
        signature=st.none() | base64_data,
    ),
    st.builds(
        Image,
        source=st.builds(Source, media_type=st.just("image/png"), data=base64_data),
        signature=st.none() | base64_data,
    ),
)


def _usage(counts: tuple[int, int, int, int]) -> Usage:
    prompt, said, thoughts, cached = counts
    return Usage(
        prompt_tokens=prompt + cached,
        completion_tokens=said + thoughts,
        reasoning_tokens=thoughts,
        cached_read_tokens=cached,
    )


_counts = st.integers(0, 10_000)
_usages = st.tuples(_counts, _counts, _counts, _counts).map(_usage)


@st.composite
def _answers(draw: st.DrawFn) -> ChatAnswer:
    choices: list[Choice] = []
    for index in range(draw(st.integers(1, 2))):
        parts = tuple(draw(st.lists(_parts, max_size=4)))
        calls = any(isinstance(part, ToolCall) for part in parts)
        stop = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter", "pause"]))
        choices.append(Choice(index=index, parts=parts, stop=stop))  # pyright: ignore[reportArgumentType]
    return ChatAnswer(id="r-1", model="gemini", choices=tuple(choices), usage=draw(_usages))


def normal(answer: ChatAnswer) -> ChatAnswer:
    """Leave out what Gemini does not say: when the answer was made."""
    return msgspec.structs.replace(answer, created=0)


@SLOWLY
@given(answers(SAYS))
def test_an_answer_with_all_that_gemini_can_say_survives(answer: ChatAnswer) -> None:
    assert CODEC.decode_answer(CODEC.encode_answer(answer, ASKED)) == normal(answer)


@SLOWLY
@given(streams(SAYS), st.data())
def test_a_stream_with_all_that_gemini_can_say_survives(events: list[Event], data: st.DataObject) -> None:
    written = CODEC.encoder(ASKED).encode(events)
    assert gathered(decode(data.draw(packets(written)))) == normal(gathered(events))


@given(_answers())
def test_an_answer_survives(answer: ChatAnswer) -> None:
    assert CODEC.decode_answer(CODEC.encode_answer(answer, ASKED)) == answer


@st.composite
def _streams(draw: st.DrawFn) -> list[Event]:
    """Draw the stream of one choice, its tool calls at the end, where Gemini's encoder tells them."""
    events: list[Event] = [Start("r-1", "gemini")]
    for kind in draw(st.lists(st.sampled_from(["text", "thought", "image", "logprobs"]), max_size=5)):
        match kind:
            case "text":
                events.append(TextDelta(draw(words()), signature=draw(st.none() | base64_data)))
            case "thought":
                events.append(ThinkingDelta(draw(words())))
                events.append(ThinkingEnd(signature=draw(base64_data), origin=DIALECT))
            case "image":
                events.append(MediaDelta("image/png", draw(base64_data)))
            case _:
                token = TokenLogprob(token=draw(words()), logprob=-0.5)
                events.append(LogprobsDelta((token,)))
    calls = draw(st.lists(st.tuples(identifiers, identifiers, arguments), max_size=3))
    for number, (id, name, text) in enumerate(calls):  # noqa: A001
        events += [ToolCallStart(number, id, name), ToolCallDelta(number, text)]
    events.append(Stop("tool_calls" if calls else "stop"))
    return [*events, UsageReport(draw(_usages)), End()]


def decode(chunks: list[bytes]) -> list[Event]:
    decoder = CODEC.decoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    assert decoder.failure is None
    return [*events, *decoder.end()]


@given(_streams(), st.data())
def test_a_stream_survives_however_it_is_cut(events: list[Event], data: st.DataObject) -> None:
    encoder = CODEC.encoder(ASKED)
    written = b"".join(encoder.encode([event]) for event in events)
    assert CODEC.encoder(ASKED).encode(events) == written
    places = sorted(data.draw(st.sets(st.integers(0, len(written)), max_size=8)))
    pieces = [written[a:b] for a, b in zip([0, *places], [*places, len(written)], strict=True)]
    assert decode(pieces) == events
    assert decode([written]) == events
    report = events[-2]
    assert isinstance(report, UsageReport)
    reader_sees(written, report.usage)


def reader_sees(written: bytes, usage: Usage) -> None:
    """Check that whoever passes it through finds its end and its usage."""
    reader = GeminiReader(b"{}")
    assert reader.feed(written) == written
    assert reader.failure is None
    assert reader.finished
    assert reader.usage == usage
    reader.end()


@given(_streams(), st.integers(0, 10_000))
def test_half_a_stream_is_no_answer(events: list[Event], place: int) -> None:
    written = CODEC.encoder(ASKED).encode(events)
    last = written.rindex(b"data: ")
    decoder = CODEC.decoder()
    decoder.feed(written[: place % (last + 1)])
    with pytest.raises(StreamCut):
        decoder.end()


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "contents", "parts", "text", "role", "functionCall", "functionResponse", "response", "args",
                    "name", "tools", "functionDeclarations", "generationConfig", "toolConfig", "candidates",
                    "content", "finishReason", "usageMetadata", "error", "inlineData", "thought", "index",
                    "groundingMetadata", "system_instruction", "mediaResolution", "promptFeedback",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@given(json_values | st.binary(max_size=20))
def test_no_input_crashes_anything(value: Any) -> None:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    with contextlib.suppress(InvalidRequest):
        CODEC.decode_request(body, model="m", stream=False)
    with contextlib.suppress(WireError):
        CODEC.decode_answer(body)
    decoder = CODEC.decoder()
    decoder.feed(b"data: " + body.replace(b"\n", b" ") + b"\n\n")
    assert decoder.failure is None or isinstance(decoder.failure, WireError | StreamFailed)


@given(json_values)
def test_contents_of_any_shape_are_read_or_refused(value: Any) -> None:
    body = json.dumps({"contents": [value], "systemInstruction": value, "tools": [value]}).encode()
    for one in (body, json.dumps({"contents": [{"parts": [value]}]}).encode()):
        with contextlib.suppress(InvalidRequest):
            assert CODEC.decode_request(one, model="m", stream=False).dialect == DIALECT
