"""Clients of chat completions, put to a model that only has the Responses API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.errors import InvalidRequest
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import exchange

FOLDER = Path(__file__).parent
CHAT = {
    "model": "up/gpt",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How many bells?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "count", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "12"},
    ],
    "tools": [{"type": "function", "function": {"name": "count", "parameters": {"type": "object"}}}],
    "max_completion_tokens": 100,
    "reasoning_effort": "low",
}


def test_the_request() -> None:
    turn = exchange(make_call(CHAT), "openai.responses", provider="up")
    sent = json.loads(turn.prepare("gpt"))
    assert sent["instructions"] == "Be brief."
    assert [item["type"] for item in sent["input"]] == ["message", "function_call", "function_call_output"]
    assert sent["input"][1]["call_id"] == sent["input"][2]["call_id"] == "call_1"
    assert sent["tools"][0]["strict"] is False
    assert (sent["model"], sent["max_output_tokens"], sent["store"]) == ("gpt", 100, False)
    assert sent["reasoning"] == {"effort": "low"}
    assert sent["include"] == ["reasoning.encrypted_content"]


def test_the_whole_answer() -> None:
    turn = exchange(make_call(CHAT), "openai.responses", provider="up")
    turn.prepare("gpt")
    body, usage = turn.whole((FOLDER / "answer.json").read_bytes())
    (choice,) = ChatCompletion.model_validate_json(body).choices
    assert choice.message.content == "High tide is at noon."
    assert choice.message.tool_calls
    assert choice.message.tool_calls[0].id == "call_c"
    assert choice.finish_reason == "tool_calls"
    assert (usage.prompt_tokens, usage.reasoning_tokens) == (40, 12)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_stream(size: int) -> None:
    stream = (FOLDER / "stream.sse").read_bytes()
    turn = exchange(make_call({**CHAT, "stream": True}), "openai.responses", provider="up")
    turn.prepare("gpt")
    reader = turn.reader()
    shown = b"".join(reader.feed(stream[start : start + size]) for start in range(0, len(stream), size))
    shown += reader.end()
    *chunks, last = shown.split(b"\n\n")[:-1]
    assert last == b"data: [DONE]"
    read = [ChatCompletionChunk.model_validate_json(chunk.removeprefix(b"data: ")) for chunk in chunks]
    deltas = [chunk.choices[0].delta for chunk in read]
    assert "".join(delta.content or "" for delta in deltas) == "Zwölf 🔔."
    called = [call for delta in deltas for call in delta.tool_calls or ()]
    assert called[0].id == "call_d"
    arguments = [call.function.arguments or "" for call in called if call.function]
    assert json.loads("".join(arguments)) == {"times": 12}
    assert read[-1].choices[0].finish_reason == "tool_calls"
    assert reader.finished
    assert reader.usage == Usage(
        prompt_tokens=9, completion_tokens=7, cached_read_tokens=4, reasoning_tokens=3
    )


@pytest.mark.parametrize(
    "dialect",
    [
        "anthropic.messages",
        "bedrock.converse",
        "cohere.chat",
        "gemini.generate",
        "ollama.chat",
        "openai.chat",
    ],
)
def test_what_is_to_be_stored_needs_no_provider_that_stores(dialect: str) -> None:
    call = make_call({"model": "m", "input": "Hi", "store": True}, dialect="openai.responses")
    turn = exchange(call, dialect, provider="up")
    assert "store" not in json.loads(turn.prepare("m"))
    assert turn.dropped == []


def test_thoughts_that_are_only_named_are_left_out_as_hints() -> None:
    named = {"type": "item_reference", "id": "rs_1"}
    called = {"type": "function_call", "call_id": "call_1", "name": "count", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "12"}
    body = {"model": "m", "input": [{"role": "user", "content": "Count."}, named, called, result]}
    call = make_call(body, dialect="openai.responses")
    with pytest.raises(InvalidRequest, match="reasoning"):
        exchange(call, "gemini.generate", provider="up").prepare("m")
    turn = exchange(call, "gemini.generate", provider="up", may_drop={"thinking"})
    contents = json.loads(turn.prepare("m"))["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    assert turn.dropped == ["input.reasoning"]


def test_other_items_that_are_only_named_are_refused() -> None:
    body = {"model": "m", "input": [{"type": "item_reference", "id": "msg_1"}]}
    turn = exchange(
        make_call(body, dialect="openai.responses"), "gemini.generate", provider="up", may_drop={"thinking"}
    )
    with pytest.raises(InvalidRequest, match="item_reference"):
        turn.prepare("m")


def _gemini(parts: list[dict[str, object]], **more: object) -> bytes:
    candidate = {"content": {"parts": parts, "role": "model"}, **more}
    return b"data: " + json.dumps({"candidates": [candidate], "responseId": "r"}).encode() + b"\n\n"


@pytest.mark.parametrize(
    "following",
    [
        {"functionCall": {"name": "count", "args": {}}},
        {"inlineData": {"mimeType": "image/png", "data": "iVBO"}},
        {"executableCode": {"language": "PYTHON", "code": "print(4)"}},
        {"text": "Let me see.", "thought": True},
    ],
    ids=["call", "picture", "code", "thought"],
)
def test_what_a_text_rests_upon_is_told_though_other_items_follow_it(following: dict[str, object]) -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example/", "title": "A"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 0, "endIndex": 6}, "groundingChunkIndices": [0]},
            {"segment": {"startIndex": 6, "endIndex": 11}, "groundingChunkIndices": [0]},
        ],
    }
    turn = exchange(
        make_call({"model": "m", "input": "Hi", "stream": True}, dialect="openai.responses"),
        "gemini.generate",
        provider="up",
    )
    turn.prepare("m")
    reader = turn.reader()
    shown = reader.feed(_gemini([{"text": "Zwölf"}, {"text": " bells"}, following]))
    shown += reader.feed(_gemini([], finishReason="STOP", groundingMetadata=grounding)) + reader.end()
    events = [json.loads(event.partition(b"data: ")[2]) for event in shown.split(b"\n\n")[:-1]]
    added = [event for event in events if event["type"] == "response.output_text.annotation.added"]
    (message,) = [item for item in events[-1]["response"]["output"] if item["type"] == "message"]
    (part,) = message["content"]
    assert part["text"] == "Zwölf bells"
    assert [(note["start_index"], note["end_index"]) for note in part["annotations"]] == [(0, 5), (5, 10)]
    assert [event["annotation"] for event in added] == part["annotations"]
    assert [(event["content_index"], event["annotation_index"]) for event in added] == [(0, 0), (0, 1)]
    assert {event["item_id"] for event in added} == {message["id"]}
