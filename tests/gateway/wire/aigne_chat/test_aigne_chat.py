"""AIGNE's chat, put to providers that speak other dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, InvalidRequest, ModelNotFound
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import EVERYTHING, WIRES, exchange

WIRE = WIRES["aigne.chat"]
HELLO: dict[str, Any] = {"role": "user", "content": "Hello?"}
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}},
}
PERSON: dict[str, Any] = {
    "type": "json_schema",
    "jsonSchema": {"name": "person", "schema": {"type": "object"}, "strict": True},
}


def call(messages: list[Any] | None = None, *, streaming: bool = False, **given: Any) -> Any:
    """A call as @aigne/transport makes it."""
    options = {"model": "m", **given.pop("options", {})}
    body: dict[str, Any] = {
        "input": {"messages": messages or [HELLO], "modelOptions": options, "outputFileType": "url", **given},
        "agent": "chat_model",
        "options": {"userContext": {}, "memories": [], "streaming": streaming},
    }
    return make_call(body, dialect="aigne.chat")


def asked(messages: list[Any] | None = None, *, dialect: str = "openai.chat", **given: Any) -> dict[str, Any]:
    """What a provider is sent."""
    return json.loads(exchange(call(messages, **given), dialect, provider="p").prepare("theirs"))


def answered(message: dict[str, Any], finish: str = "stop", **given: Any) -> dict[str, Any]:
    """What the client gets for a chat completion."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "theirs",
        "choices": [
            {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish},
        ],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 5},
        },
    }
    whole, usage = exchange(call(**given), "openai.chat", provider="p").whole(json.dumps(body).encode())
    assert usage == Usage(prompt_tokens=7, completion_tokens=3, cached_read_tokens=5)
    return json.loads(whole)


def test_a_conversation_is_put_to_a_provider() -> None:
    sent = asked(
        [
            {"role": "system", "content": "Be kind."},
            HELLO,
            {
                "role": "agent",
                "content": "Let me see.",
                "toolCalls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": {"city": "Oslo"}},
                    },
                ],
            },
            {"role": "tool", "toolCallId": "call_1", "content": "Rain"},
        ],
        tools=[WEATHER],
        toolChoice={"type": "function", "function": {"name": "weather"}},
        responseFormat=PERSON,
        options={
            "temperature": 0.5,
            "topP": 0.9,
            "maxTokens": 50,
            "frequencyPenalty": 0.1,
            "presencePenalty": 0.2,
            "parallelToolCalls": False,
            "reasoningEffort": "low",
            "cacheConfig": {"enabled": False},
            "preferInputFileType": "url",
        },
    )
    assert sent == {
        "model": "theirs",
        "messages": [
            {"role": "system", "content": "Be kind."},
            HELLO,
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
                    },
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
        ],
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "person", "schema": {"type": "object"}, "strict": True},
        },
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 50,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
    }


def test_results_of_several_calls_follow_one_another() -> None:
    function: dict[str, Any] = {"name": "weather", "arguments": {}}
    called = [{"id": name, "type": "function", "function": function} for name in "ab"]
    results = [{"role": "tool", "toolCallId": name, "content": name} for name in "ab"]
    messages = asked([HELLO, {"role": "agent", "toolCalls": called}, *results], dialect="anthropic.messages")[
        "messages"
    ]
    assert [block["tool_use_id"] for block in messages[-1]["content"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (
            {"type": "file", "data": "AAAA", "mimeType": "image/png"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ),
        (
            {"type": "url", "url": "https://example.com/a.jpg"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg"}},
        ),
        (
            {"type": "image_url", "imageUrl": {"url": "data:image/gif;base64,AAAA"}},
            {"type": "image_url", "image_url": {"url": "data:image/gif;base64,AAAA"}},
        ),
        (
            {"type": "file", "data": "AAAA", "filename": "a.pdf"},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        ),
    ],
)
def test_files_stand_in_messages(content: dict[str, Any], part: dict[str, Any]) -> None:
    sent = asked([{"role": "user", "content": [{"type": "text", "text": "See:"}, content]}])
    assert sent["messages"][0]["content"] == [{"type": "text", "text": "See:"}, part]


def test_marks_for_the_cache_reach_who_knows_them() -> None:
    mark = {"cacheControl": {"type": "ephemeral", "ttl": "1h"}}
    sent = asked([{**HELLO, **mark}], tools=[{**WEATHER, **mark}], dialect="anthropic.messages")
    cached = {"type": "ephemeral", "ttl": "1h"}
    assert sent["messages"][0]["content"][0]["cache_control"] == cached
    assert sent["tools"][0]["cache_control"] == cached


@pytest.mark.parametrize(
    ("config", "marked"),
    [
        (None, ""),
        ({"enabled": False}, ""),
        ({"strategy": "manual"}, ""),
        ({}, "system tools"),
        ({"autoBreakpoints": {"tools": False, "lastMessage": True}}, "system messages"),
    ],
)
def test_the_usual_places_are_cached_when_that_is_left_to_the_hub(config: Any, marked: str) -> None:
    messages = [{"role": "system", "content": "Be kind."}, HELLO]
    sent = asked(messages, tools=[WEATHER], options={"cacheConfig": config}, dialect="anthropic.messages")
    found = [name for name in ("system", "tools", "messages") if "cache_control" in str(sent[name])]
    assert found == marked.split()


def test_places_that_the_client_has_marked_are_the_only_ones() -> None:
    mark = {"cacheControl": {"type": "ephemeral"}}
    sent = asked([{**HELLO, **mark}], options={"cacheConfig": {}}, dialect="anthropic.messages")
    assert str(sent).count("cache_control") == 1


def test_a_wish_for_caching_refuses_no_call() -> None:
    """As long as the operator lets go of what is only a hint, which is usual."""
    turn = exchange(
        call(options={"cacheConfig": {"autoBreakpoints": {"lastMessage": True}}}),
        "openai.chat",
        provider="p",
        may_drop={"cache_control"},
    )
    assert "cache" not in turn.prepare("theirs").decode()


def test_an_answer_in_words() -> None:
    assert answered({"content": "Hi.", "reasoning_content": "Kindly."}, "length") == {
        "model": "theirs",
        "modelWithProvider": "m",
        "text": "Hi.",
        "thoughts": "Kindly.",
        "usage": {"inputTokens": 7, "outputTokens": 3, "cacheReadInputTokens": 5},
        "finishReason": "length",
    }


def test_an_answer_that_calls_tools() -> None:
    function = {"name": "weather", "arguments": '{"city": "Oslo"}'}
    tool_calls = [{"id": "c", "type": "function", "function": function}]
    answer = answered({"content": None, "tool_calls": tool_calls}, "tool_calls", responseFormat=PERSON)
    assert answer["toolCalls"] == [
        {"id": "c", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}},
    ]
    assert "json" not in answer
    assert "text" not in answer


@pytest.mark.parametrize(
    ("said", "told"),
    [('{"name": "Ann"}', {"json": {"name": "Ann"}}), ("I will not.", {"text": "I will not."})],
)
def test_an_answer_that_is_to_be_an_object(said: str, told: dict[str, Any]) -> None:
    answer = answered({"content": said}, responseFormat=PERSON)
    assert {name: answer[name] for name in ("json", "text") if name in answer} == told


def streamed(*deltas: dict[str, Any], **given: Any) -> list[dict[str, Any]]:
    """What the client gets for a streamed chat completion."""
    chunk: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "theirs"}
    chunks = [{**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    chunks.append({**chunk, "choices": [], "usage": usage})
    data = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    reader = exchange(call(streaming=True, **given), "openai.chat", provider="p").reader()
    told = reader.feed(data + b"data: [DONE]\n\n") + reader.end()
    assert reader.usage == Usage(prompt_tokens=7, completion_tokens=3)
    return [json.loads(event.removeprefix("data: ")) for event in told.decode().split("\n\n") if event]


def put_together(events: list[dict[str, Any]]) -> dict[str, Any]:
    """What AIGNE's clients make of a stream: texts add up, all else is replaced."""
    whole: dict[str, Any] = {}
    for event in events:
        delta = event["delta"]
        for name, text in delta.get("text", {}).items():
            whole[name] = whole.get(name, "") + text
        whole |= delta.get("json", {})
    return whole


USED = {"inputTokens": 7, "outputTokens": 3}
NAMED = {"model": "theirs", "modelWithProvider": "m"}


def test_a_stream_of_words() -> None:
    events = streamed({"reasoning_content": "Kindly."}, {"content": "Hi"}, {"content": " there."})
    assert {"delta": {"text": {"text": " there."}}} in events
    assert put_together(events) == {
        **NAMED,
        "thoughts": "Kindly.",
        "text": "Hi there.",
        "finishReason": "stop",
        "usage": USED,
    }


def test_a_stream_that_is_to_be_an_object() -> None:
    events = streamed({"content": '{"name":'}, {"content": '"Ann"}'}, responseFormat=PERSON)
    assert put_together(events) == {**NAMED, "json": {"name": "Ann"}, "finishReason": "stop", "usage": USED}


def test_a_stream_that_calls_tools_tells_them_whole() -> None:
    begins = {"index": 0, "id": "c", "type": "function", "function": {"name": "weather", "arguments": ""}}
    goes_on = [{"index": 0, "function": {"arguments": piece}} for piece in ('{"city":', '"Oslo"}')]
    events = streamed(*({"tool_calls": [piece]} for piece in (begins, *goes_on)))
    assert sum("toolCalls" in event["delta"].get("json", {}) for event in events) == 1
    assert put_together(events)["toolCalls"] == [
        {"id": "c", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}},
    ]


@given(texts=st.lists(st.text(), max_size=5))
def test_no_word_of_a_stream_is_lost(texts: list[str]) -> None:
    for wanted in ({}, {"responseFormat": PERSON}):
        whole = put_together(streamed(*({"content": text} for text in texts), **wanted))
        said = "".join(texts)
        assert whole.get("text", "") == said or whole["json"] == json.loads(said)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": {"messages": [HELLO]}}, "input.modelOptions.model"),
        ({"input": {"messages": [], "modelOptions": {"model": "m"}}}, "input.messages"),
        ({"input": {"modelOptions": {"model": "m"}}}, "messages"),
        ({"input": {"messages": [{"role": "wizard"}], "modelOptions": {"model": "m"}}}, "input.messages"),
        ({}, "input"),
    ],
)
def test_what_cannot_be_read_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        WIRE.read(json.dumps(body).encode())
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("messages", "given", "word"),
    [
        ([{"role": "user", "content": [{"type": "local", "path": "/etc/hosts"}]}], {}, "local"),
        ([{"role": "user", "content": [{"type": "file"}]}], {}, "'data'"),
        ([{"role": "user", "content": [{"type": "smell"}]}], {}, "smell"),
        ([{"role": "tool", "content": "Rain"}], {}, "toolCallId"),
        (None, {"options": {"modalities": ["AUDIO"]}}, "audio/speech"),
        (None, {"options": {"wizardry": 3}}, "wizardry"),
    ],
)
def test_what_cannot_be_done_is_refused(messages: Any, given: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidRequest, match=word):
        asked(messages, dialect="anthropic.messages", **given)


def test_unknown_options_are_dropped_with_leave() -> None:
    turn = exchange(call(options={"wizardry": 3}), "anthropic.messages", provider="p", may_drop=EVERYTHING)
    assert "wizardry" not in json.loads(turn.prepare("theirs"))
    assert list(turn.dropped) == ["wizardry"]


def test_errors_are_what_its_clients_read() -> None:
    error: GatewayError = ModelNotFound("No such model.", param="model")
    assert json.loads(WIRE.error(error))["error"]["message"] == "No such model."
    name, data = WIRE.error_event(error).decode().strip().split("\n")
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["message"] == "No such model."
