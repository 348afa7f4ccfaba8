"""Compatible services differ from OpenAI, and from each other; clients of old and new ask in different words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire import StreamCut, StreamFailed, WireError
from gateway.wire.canonical import (
    Audio,
    AudioDelta,
    CacheHint,
    ChatAnswer,
    ChatRequest,
    Choice,
    Document,
    End,
    Event,
    Image,
    MediaDelta,
    Message,
    Part,
    Reasoning,
    Source,
    Start,
    Stop,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStart,
    ToolChoice,
    ToolResult,
    UsageReport,
    Video,
)
from gateway.wire.codec import Losses
from gateway.wire.openai_chat import OpenAIChatCodec

CODEC = OpenAIChatCodec()
PIXEL = Image(source=Source(media_type="image/png", data="aGk="))


def chunk(delta: dict[str, Any] | None, finish_reason: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, **fields}
    return b"data: " + json.dumps({"id": "1", "model": "m", "choices": [choice]}).encode() + b"\n\n"


def read(*chunks: bytes) -> list[Event]:
    decoder = CODEC.decoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    if decoder.failure:
        raise decoder.failure
    return [*events, *decoder.end()][1:-1]


def piece(name: str | None = None, arguments: Any = None, **fields: Any) -> bytes:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return chunk({"tool_calls": [{**fields, "function": function}]})


STOP = chunk({}, "tool_calls")
ONE = [ToolCallStart(0, "a", "f"), ToolCallDelta(0, "{}")]
TWO = [*ONE, ToolCallStart(1, "b", "f"), ToolCallDelta(1, "[]")]


@pytest.mark.parametrize(
    ("chunks", "events"),
    [
        ([piece("f", "", index=0, id="a"), piece(None, "{}", index=0)], ONE),
        ([piece("f", "{}", index=0, id="a"), piece("f", "[]", index=0, id="b")], TWO),
        ([piece("f", "{}", id="a"), piece("f", "[]", id="b")], TWO),
        ([piece("f", "{", id="a"), piece(None, "}")], [ONE[0], *(ToolCallDelta(0, x) for x in "{}")]),
        ([piece("f", "{", index=3, id="a"), piece("f", "}", index=3, id="a")],
         [ONE[0], *(ToolCallDelta(0, x) for x in "{}")]),
        ([piece(None, "{", index=0, id="a"), piece("f", "}", index=0)], ONE),
        ([piece("f", {}, index=0, id="a")], ONE),
        ([piece("f", "{}", index=0)], [ToolCallStart(0, "call_0_0", "f"), ToolCallDelta(0, "{}")]),
        ([chunk({"function_call": {"name": "f", "arguments": "{}"}})],
         [ToolCallStart(0, "call_0_0", "f"), ToolCallDelta(0, "{}")]),
    ],
)  # fmt: skip
def test_tool_calls_are_steady(chunks: list[bytes], events: list[Event]) -> None:
    assert read(*chunks, STOP) == [*events, Stop("tool_calls")]


def test_a_tool_call_without_a_name_is_an_error() -> None:
    with pytest.raises(WireError, match="without a name"):
        read(piece(None, "{}", index=0, id="a"), STOP)
    body = {"choices": [{"message": {"tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]}}]}
    with pytest.raises(WireError, match="without a name"):
        CODEC.decode_answer(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("chunks", "events"),
    [
        ([chunk({"content": "a"}, "stop")], [TextDelta("a"), Stop("stop")]),
        ([chunk({"content": "a"}), b"data: [DONE]\n\n"], [TextDelta("a"), Stop("stop")]),
        ([chunk({"content": "a"}, "eos"), chunk({}, "eos")], [TextDelta("a"), Stop("stop")]),
        ([chunk({"content": "a"}, "model_length")], [TextDelta("a"), Stop("context")]),
        (
            [chunk({"content": "a"}, "stop", stop_reason="END")],
            [TextDelta("a"), Stop("stop", sequence="END")],
        ),
        ([b": warming up\n\n", chunk({"content": "a"}, "stop")], [TextDelta("a"), Stop("stop")]),
        ([chunk(None), chunk({"content": "a"}, "stop")], [TextDelta("a"), Stop("stop")]),
        ([piece("f", "{}", index=0, id="a"), b"data: [DONE]\n\n"], [*ONE, Stop("tool_calls")]),
        (
            [chunk({"images": [{"image_url": {"url": "data:image/png;base64,aGk="}}]}, "stop")],
            [MediaDelta("image/png", "aGk="), Stop("stop")],
        ),
        (
            [chunk({"audio": {"id": "x", "transcript": "Hi"}}, "stop")],
            [AudioDelta(id="x", transcript="Hi"), Stop("stop")],
        ),
    ],
)
def test_streams_of_all_kinds_end_well(chunks: list[bytes], events: list[Event]) -> None:
    assert read(*chunks) == events


def test_the_last_usage_counts_and_azures_first_chunk_begins_nothing() -> None:
    azure = b'data: {"id":"","model":"","choices":[],"prompt_filter_results":[]}\n\n'
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":1,"prompt_cache_hit_tokens":2}}\n\n'
    decoder = CODEC.decoder()
    assert decoder.feed(azure) == []
    events = [
        *decoder.feed(chunk({"content": "a"}, "stop")),
        *decoder.feed(usage % 1 + usage % 9),
        *decoder.end(),
    ]
    assert events[0] == Start("1", "m")
    assert events[-2:] == [
        UsageReport(Usage(prompt_tokens=9, completion_tokens=1, cached_read_tokens=2)),
        End(),
    ]


@pytest.mark.parametrize(
    ("chunks", "failure"),
    [
        ([chunk({"content": "a"})], StreamCut),
        ([chunk({"content": "a"}, "stop"), b"data: {"], StreamCut),
        ([b"data: [DONE]\n\n"], StreamCut),
        ([b"data: {]\n\n"], WireError),
        ([b"data: 7\n\n"], WireError),
        ([b'data: {"error": {"message": "Too busy.", "code": 503}}\n\n'], StreamFailed),
    ],
)
def test_streams_that_are_not_whole_fail(chunks: list[bytes], failure: type[Exception]) -> None:
    with pytest.raises(failure):
        read(*chunks)


def test_what_came_before_a_failure_is_kept() -> None:
    decoder = CODEC.decoder()
    events = decoder.feed(
        chunk({"content": "a"}) + b'data: {"error": {"message": "Too busy.", "code": 503}}\n\n'
    )
    assert list(events)[1:] == [TextDelta("a")]
    assert isinstance(decoder.failure, StreamFailed)
    assert (decoder.failure.message, decoder.failure.status) == ("Too busy.", 503)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b"\xff"])
def test_what_is_no_answer_is_a_wire_error(body: bytes) -> None:
    with pytest.raises(WireError):
        CODEC.decode_answer(body)


def test_pictures_and_sound_in_an_answer() -> None:
    parts: tuple[Part, ...] = (
        PIXEL,
        Audio(source=Source(data="c291bmQ="), id="audio_1", transcript="Hello."),
    )
    answer = ChatAnswer(id="1", model="m", created=1, choices=(Choice(parts=parts, stop="stop"),))
    asked = ChatRequest(dialect="openai.chat", model="m", messages=())
    assert CODEC.decode_answer(CODEC.encode_answer(answer, asked)) == answer


FUNCTIONS = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{}"}},
        {"role": "function", "name": "find", "content": "Here."},
    ],
    "functions": [{"name": "find", "parameters": {"type": "object"}}],
    "function_call": {"name": "find"},
}


def test_the_functions_of_old_are_understood_and_answered() -> None:
    request = CODEC.decode_request(json.dumps(FUNCTIONS).encode(), model="m", stream=False)
    call = ToolCall(id="call_0", name="find", arguments="{}")
    assert [message.parts[0] for message in request.messages[1:]] == [
        call,
        ToolResult(id="call_0", name="find", content=(Text(text="Here."),)),
    ]
    assert request.tool_choice == ToolChoice(mode="required", names=("find",))
    answer = ChatAnswer(id="1", model="m", choices=(Choice(parts=(call, call), stop="tool_calls"),))
    (choice,) = json.loads(CODEC.encode_answer(answer, request))["choices"]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "find", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    events: list[Event] = [Start("1", "m"), *ONE, Stop("tool_calls"), End()]
    said = [json.loads(event[6:]) for event in CODEC.encoder(request).encode(events).split(b"\n\n")[:-2]]
    assert [one["choices"][0]["delta"].get("function_call") for one in said] == [
        None,
        {"name": "f", "arguments": ""},
        {"arguments": "{}"},
        None,
    ]
    assert said[-1]["choices"][0]["finish_reason"] == "function_call"


def sent(*messages: Message, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    """What goes to a provider, and what it cannot be told."""
    request = ChatRequest(dialect="anthropic.messages", model="m", messages=messages, **fields)
    losses = Losses("p", {}, may_drop=frozenset())
    body = json.loads(CODEC.encode_request(request, "m", losses))
    try:
        losses.check()
    except InvalidRequest as error:
        return body, error.message.partition(" cannot")[0].replace(" and ", ", ").split(", ")
    return body, []


@pytest.mark.parametrize(
    ("part", "loss"),
    [
        (Image(source=Source(file="f")), "'messages.image'"),
        (Image(source=Source(url="gs://bucket/cat.png")), "'messages.image'"),
        (Audio(source=Source(url="https://files.example.com/a.wav")), "'messages.audio'"),
        (Video(source=Source(data="aGk=", media_type="video/mp4")), "'messages.video'"),
        (Document(source=Source(url="https://files.example.com/a.pdf")), "'messages.document'"),
        (Document(source=Source(text="a"), citations=True), "'citations'"),
        (Text(text="a", cache=CacheHint()), "'cache_control'"),
    ],
)
def test_what_it_cannot_say_is_named(part: Part, loss: str) -> None:
    assert sent(Message(role="user", parts=(part,)))[1] == [loss]


def test_foreign_parameters_are_named() -> None:
    assert sent(top_k=3, extra={"container": "c", "nothing": None})[1] == ["'container'", "'top_k'"]


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [
        (Reasoning(effort="xhigh"), "xhigh"),
        (Reasoning(budget=0), "none"),
        (Reasoning(budget=1024), "low"),
        (Reasoning(budget=8000), "medium"),
        (Reasoning(budget=32_000), "high"),
        (Reasoning(budget=-1), None),
        (Reasoning(summary="auto"), None),
    ],
)
def test_budgets_become_efforts(reasoning: Reasoning, effort: str | None) -> None:
    body, losses = sent(reasoning=reasoning)
    assert (body.get("reasoning_effort"), losses) == (effort, [])


def test_what_a_tool_shows_follows_as_the_users() -> None:
    result = ToolResult(id="a", content=(PIXEL,))
    failed = ToolResult(id="b", content=(Text(text="no such file"),), is_error=True)
    body, losses = sent(Message(role="tool", parts=(result, failed)))
    assert losses == []
    first, second, shown = body["messages"]
    assert (first["role"], first["tool_call_id"]) == ("tool", "a")
    assert second == {"role": "tool", "tool_call_id": "b", "content": "Error: no such file"}
    assert shown["role"] == "user"
    assert shown["content"][0]["type"] == "text"
    assert "call a" in shown["content"][0]["text"]
    assert shown["content"][1:] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]


def test_a_document_of_text_is_said_under_its_title() -> None:
    document = Document(source=Source(text="All is well."), name="Report")
    body, losses = sent(Message(role="user", parts=(document, Text(text="Is it?"))))
    assert losses == []
    assert body["messages"][0]["content"][0] == {"type": "text", "text": "Report\nAll is well."}
