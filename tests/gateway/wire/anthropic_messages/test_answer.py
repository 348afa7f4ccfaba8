"""Whole answers, both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import WireError, exchange
from gateway.wire.anthropic_messages import AnthropicMessages, AnthropicMessagesCodec
from gateway.wire.canonical import (
    Audio,
    ChatAnswer,
    ChatRequest,
    Choice,
    Citation,
    End,
    Foreign,
    Image,
    Message,
    Part,
    Refusal,
    Source,
    Start,
    Stop,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolCallStart,
)

CODEC = AnthropicMessagesCodec()
ANSWER = (Path(__file__).parent / "answer.json").read_bytes()
DIALECT = "anthropic.messages"
USAGE = Usage(
    prompt_tokens=420,
    completion_tokens=50,
    cached_read_tokens=300,
    cached_write_tokens=20,
    reasoning_tokens=12,
    searches=2,
)
REQUEST = ChatRequest(
    dialect=DIALECT, model="m", messages=(Message(role="user", parts=(Text(text="Hi there"),)),)
)


def written(*parts: Part, stop: StopReason = "stop", safety: Any = None) -> dict[str, Any]:
    answer = ChatAnswer(id="a", model="m", choices=(Choice(parts=parts, stop=stop, safety=safety),))
    return json.loads(CODEC.encode_answer(answer, REQUEST))


def test_an_answer_with_everything() -> None:
    answer = CODEC.decode_answer(ANSWER)
    (choice,) = answer.choices
    cited = Citation(title="Report", cited="It rains.", document=0, location=("char", 10, 19))
    search = {
        "type": "server_tool_use",
        "id": "srvtoolu_01",
        "name": "web_search",
        "input": {"query": "weather"},
    }
    assert choice.parts == (
        Thinking(text="The user asks for two cities.", signature="c2lnbmF0dXJl", origin=DIALECT),
        Thinking(encrypted="aGlkZGVu", origin=DIALECT),
        Text(text="As the report says, it rains.", citations=(cited,)),
        ToolCall(id="toolu_01", name="get_weather", arguments='{"city":"Rome"}'),
        ToolCall(id="toolu_02", name="now", arguments="{}"),
        Foreign(dialect=DIALECT, type="server_tool_use", value=search),
    )
    assert (choice.stop, answer.id, answer.usage) == ("tool_calls", "msg_01A", USAGE)
    assert answer.extra == {"a_field_of_tomorrow": {"says": "something"}}
    again = CODEC.decode_answer(CODEC.encode_answer(answer, REQUEST))
    assert again.choices == answer.choices
    assert again.usage == USAGE


def test_what_passes_through_keeps_a_field_of_tomorrow() -> None:
    call = make_call(
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "new": 1},
        dialect=DIALECT,
    )
    turn = exchange(call, DIALECT, provider="anthropic")
    assert turn.prepare("m") == call.body
    assert json.loads(turn.prepare("other")) == {**json.loads(call.body), "model": "other"}
    assert turn.whole(ANSWER) == (ANSWER, USAGE)


@pytest.mark.parametrize("reason", get_args(StopReason))
def test_every_stop_reason_is_one_of_anthropics(reason: StopReason) -> None:
    assert written(Text(text="x"), stop=reason)["stop_reason"] in {
        "end_turn",
        "stop_sequence",
        "max_tokens",
        "model_context_window_exceeded",
        "tool_use",
        "refusal",
        "pause_turn",
    }


def test_ids_of_calls_have_the_characters_that_anthropic_allows() -> None:
    content = written(ToolCall(id="functions.look:0", name="look", arguments="{}"))["content"]
    assert content[0]["id"] == "functions_look_0"


@pytest.mark.parametrize("thinks", [True, False])
def test_the_signature_of_a_call_comes_back_with_it_to_clients_that_want_thoughts(*, thinks: bool) -> None:
    call = ToolCall(id="call_1", name="look", arguments="{}", signature="c2ln")
    fields: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    thinking = {"thinking": {"type": "adaptive"}} if thinks else {}
    asked = CODEC.decode_request(json.dumps({**fields, **thinking}).encode(), model="m", stream=False)
    answer = ChatAnswer(id="a", model="m", choices=(Choice(parts=(call,), stop="tool_calls"),))
    whole = json.loads(CODEC.encode_answer(answer, asked))["content"]
    encoder = CODEC.encoder(asked)
    start = ToolCallStart(0, "call_1", "look", signature="c2ln")
    stream = encoder.encode([Start("a", "m"), start, ToolCallDelta(0, "{}"), Stop("tool_calls"), End()])
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith(b"data: ")]
    begun = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block["type"] for block in whole] == [*(["redacted_thinking"] if thinks else []), "tool_use"]
    assert begun == whole
    messages = [*fields["messages"], {"role": "assistant", "content": whole}]
    again = CODEC.decode_request(
        json.dumps({**fields, "messages": messages}).encode(), model="m", stream=False
    )
    assert again.messages[1].parts == (call if thinks else msgspec.structs.replace(call, signature=None),)


def test_why_it_refused_is_told_if_anthropic_said_it() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": None}
    assert written(stop="refusal", safety=details)["stop_details"] == details
    assert "stop_details" not in written(stop="refusal", safety=[{"category": "HARM"}])


def test_others_words_in_anthropics_blocks() -> None:
    content = written(
        Refusal(text="No."),
        Text(text="See.", citations=(Citation(url="https://example.com", title="E"),)),
        Thinking(text="Hm"),
        Thinking(encrypted="xyz", id="rs_1", origin="openai.responses"),
        ToolCall(id="c", name="f", arguments="[1]"),
        Image(source=Source(data="eA==")),
        Audio(source=Source(data="eA==")),
        Foreign(dialect="gemini.generate", type="executableCode", value={}),
    )["content"]
    assert content == [
        {"type": "text", "text": "No."},
        {
            "type": "text",
            "text": "See.",
            "citations": [
                {
                    "type": "web_search_result_location",
                    "cited_text": "",
                    "url": "https://example.com",
                    "title": "E",
                    "encrypted_index": "",
                }
            ],
        },
        {"type": "thinking", "thinking": "Hm", "signature": ""},
        {"type": "redacted_thinking", "data": "gateway:openai.responses:e:rs_1:xyz"},
        {"type": "tool_use", "id": "c", "name": "f", "input": {"input": [1]}},
    ]


def test_usage_is_estimated_when_the_provider_says_nothing() -> None:
    bare = {"id": "a", "content": [{"type": "text", "text": "x" * 40}], "stop_reason": "end_turn"}
    answer = CODEC.decode_answer(json.dumps(bare).encode())
    assert CODEC.usage(answer, REQUEST) == Usage(prompt_tokens=2, completion_tokens=10, estimated=True)
    assert json.loads(CODEC.encode_answer(answer, REQUEST))["usage"]["output_tokens"] == 10
    call = make_call(
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}, dialect=DIALECT
    )
    assert AnthropicMessages().usage(json.dumps(bare).encode()) is None
    assert AnthropicMessages().estimate(call, json.dumps(bare).encode()).estimated


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"id": 1}', b'{"id": "a", "content": [{"text": "x"}]}', b"\xff"]
)
def test_what_is_no_answer_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(WireError):
        CODEC.decode_answer(body)
