"""Whole responses and streams: golden ones, and what other providers' answers become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses import Response

from gateway.types import Usage
from gateway.wire import StreamCut, WireError
from gateway.wire.canonical import (
    ChatAnswer,
    Choice,
    Citation,
    CitationDelta,
    End,
    Foreign,
    Image,
    Part,
    RefusalDelta,
    Source,
    Start,
    Stop,
    StopReason,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnd,
    ToolCall,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.dialect import StreamFailed
from gateway.wire.openai_responses import ResponsesCodec

CODEC = ResponsesCodec()
FOLDER = Path(__file__).parent
OURS = "openai.responses"
REQUEST = CODEC.decode_request(b'{"model":"m","input":"Hello"}', model="m", stream=False)


def test_a_whole_response_is_read() -> None:
    answer = CODEC.decode_answer((FOLDER / "answer.json").read_bytes())
    (choice,) = answer.choices
    thought, search, text, call = choice.parts
    assert thought == Thinking(
        text="First the tide.\n\nThen the boat.", encrypted="gAAAAB-not-readable", id="rs_0a1b", origin=OURS
    )
    assert isinstance(search, Foreign)
    assert search.type == "web_search_call"
    cited = Citation(url="https://tides.example.com/", title="Tides", start=0, end=20)
    assert text == Text(text="High tide is at noon.", citations=(cited,))
    assert call == ToolCall(id="call_c", name="ring_bell", arguments='{"times":2}')
    assert choice.stop == "tool_calls"
    assert answer.usage == Usage(
        prompt_tokens=40,
        completion_tokens=30,
        cached_read_tokens=16,
        cached_write_tokens=8,
        reasoning_tokens=12,
        searches=1,
    )


def test_a_stream_is_read() -> None:
    decoder = CODEC.decoder()
    events = [*decoder.feed((FOLDER / "stream.sse").read_bytes()), *decoder.end()]
    cited = Citation(url="https://bells.example.com/", title="Bells", start=0, end=5)
    assert events == [
        Start("resp_0c2d", "gpt-5.5", 1_790_000_000),
        ThinkingDelta("Count the bells."),
        ThinkingEnd(encrypted="gAAAAB-not-readable", id="rs_0c2d", origin=OURS),
        TextDelta("Zwölf "),
        TextDelta("🔔."),
        CitationDelta(cited),
        ToolCallStart(0, "call_d", "ring_bell"),
        ToolCallDelta(0, '{"times":'),
        ToolCallDelta(0, "12}"),
        Stop("tool_calls"),
        UsageReport(Usage(prompt_tokens=9, completion_tokens=7, cached_read_tokens=4, reasoning_tokens=3)),
        End(),
    ]


def event(kind: str, **fields: Any) -> bytes:
    return b"data: " + json.dumps({"type": kind, **fields}).encode() + b"\n\n"


def test_arguments_that_come_in_one_piece_at_the_end_are_not_lost() -> None:
    decoder = CODEC.decoder()
    item = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": ""}
    events = [*decoder.feed(event("response.output_item.added", output_index=0, item=item))]
    events += decoder.feed(event("response.function_call_arguments.done", output_index=0, arguments="{}"))
    done = {**item, "arguments": "{}"}
    events += decoder.feed(event("response.output_item.done", output_index=0, item=done))
    assert events == [ToolCallStart(0, "c", "f"), ToolCallDelta(0, "{}")]


@pytest.mark.parametrize(
    ("data", "code", "status"),
    [
        (event("error", code="server_error", message="Out of steam.", param=None), "server_error", None),
        (event("error", error={"code": "x", "message": "Out of steam."}), "x", None),
        (
            event(
                "response.failed",
                response={"error": {"code": "rate_limit_exceeded", "message": "Out of steam."}},
            ),
            "rate_limit_exceeded",
            429,
        ),
    ],
)
def test_a_failure_in_a_stream_is_told(data: bytes, code: str, status: int | None) -> None:
    decoder = CODEC.decoder()
    assert decoder.feed(data) == []
    assert isinstance(decoder.failure, StreamFailed)
    assert (decoder.failure.message, decoder.failure.code) == ("Out of steam.", code)
    assert decoder.failure.status == status
    with pytest.raises(StreamCut):
        decoder.end()


def test_a_whole_response_that_failed_is_a_failure() -> None:
    body = b'{"id":"resp_1","status":"failed","output":[],"error":{"code":"server_error","message":"No."}}'
    with pytest.raises(StreamFailed, match=r"No\."):
        CODEC.decode_answer(body)


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"output":[1]}', b'{"output":[{"type":"message","content":1}]}']
)
def test_what_is_no_response_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(WireError, match="not a response"):
        CODEC.decode_answer(body)


def whole(*parts: Part, stop: StopReason = "stop") -> dict[str, Any]:
    answer = ChatAnswer(id="x", model="m", choices=(Choice(parts=parts, stop=stop),))
    body = CODEC.encode_answer(answer, REQUEST)
    Response.model_validate_json(body)
    return json.loads(body)


def test_every_id_is_new_and_of_its_kind() -> None:
    parts = (Thinking(text="Hm."), Text(text="Hi."), ToolCall(id="call_1", name="f", arguments="{}"))
    first, second = whole(*parts), whole(*parts)
    ids = [[one["id"], *(item["id"] for item in one["output"])] for one in (first, second)]
    assert [one.partition("_")[0] for one in ids[0]] == ["resp", "rs", "msg", "fc"]
    assert len({*ids[0], *ids[1]}) == 8


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        ("stop", "completed", None),
        ("stop_sequence", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("context", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("error", "failed", None),
    ],
)
def test_how_it_ended(stop: StopReason, status: str, reason: str | None) -> None:
    response = whole(Text(text="Well"), stop=stop)
    assert response["status"] == status
    assert response["incomplete_details"] == (reason and {"reason": reason})
    assert (response["error"] is not None) == (status == "failed")
    last = json.loads(
        CODEC.encoder(REQUEST)
        .encode([Start("x", "m"), TextDelta("Well"), Stop(stop), End()])
        .split(b"\n\n")[-2]
        .partition(b"data: ")[2]
    )
    assert last["type"] == f"response.{status}"
    assert last["response"]["incomplete_details"] == response["incomplete_details"]


def test_a_response_repeats_what_was_asked() -> None:
    body = json.loads((FOLDER / "request.json").read_bytes())
    request = CODEC.decode_request(json.dumps(body).encode(), model="gpt-5.5", stream=True)
    response = json.loads(CODEC.encode_answer(ChatAnswer(id="x", model="m", choices=()), request))
    Response.model_validate(response)
    for name in ("instructions", "tools", "tool_choice", "text", "metadata", "store", "truncation"):
        assert response[name] == body[name]
    assert response["reasoning"] == {"effort": "high", "summary": "auto"}


def back(response: dict[str, Any]) -> tuple[Part, ...]:
    """Hand the output back as the next request's input, as clients do."""
    body = json.dumps({"model": "m", "input": response["output"]}).encode()
    (message,) = CODEC.decode_request(body, model="m", stream=False).messages
    return message.parts


def test_signatures_of_other_providers_survive_the_way_over_the_client() -> None:
    thought = Thinking(text="Hm.", signature="c2ln", origin="anthropic.messages")
    hidden = Thinking(encrypted="cmVk", origin="anthropic.messages")
    call = ToolCall(id="call_1", name="f", arguments="{}", signature="Z2Vt")
    parts = back(whole(thought, hidden, call, stop="tool_calls"))
    assert [(p.text, p.signature, p.encrypted, p.origin) for p in parts if isinstance(p, Thinking)] == [
        ("Hm.", "c2ln", None, "anthropic.messages"),
        ("", None, "cmVk", "anthropic.messages"),
    ]
    assert parts[-1] == call


def test_signatures_survive_a_stream() -> None:
    events = [
        Start("x", "m"),
        ThinkingDelta("Hm."),
        ThinkingEnd(signature="c2ln", origin="anthropic.messages"),
        ToolCallStart(0, "call_1", "f", signature="Z2Vt"),
        ToolCallDelta(0, "{}"),
        Stop("tool_calls"),
        End(),
    ]
    stream = CODEC.encoder(REQUEST).encode(events)
    response = json.loads(stream.split(b"\n\n")[-2].partition(b"data: ")[2])["response"]
    Response.model_validate(response)
    thought, call = back(response)
    assert isinstance(thought, Thinking)
    assert (thought.text, thought.signature, thought.origin) == ("Hm.", "c2ln", "anthropic.messages")
    assert call == ToolCall(id="call_1", name="f", arguments="{}", signature="Z2Vt")


def test_pictures_and_citations_without_an_address_have_a_place() -> None:
    picture = Image(source=Source(media_type="image/png", data="iVBO"))
    cited = Text(text="So it says.", citations=(Citation(title="paper.pdf", document=0),))
    made, message = whole(picture, cited)["output"]
    assert (made["type"], made["result"]) == ("image_generation_call", "iVBO")
    assert message["content"][0]["annotations"][0]["filename"] == "paper.pdf"


def test_calls_may_come_by_turns() -> None:
    events = [
        Start("x", "m"),
        ToolCallStart(0, "a", "f"),
        ToolCallStart(1, "b", "g", custom=True),
        ToolCallDelta(0, "{"),
        ToolCallDelta(1, "one"),
        ToolCallDelta(0, "}"),
        Stop("tool_calls"),
        End(),
    ]
    stream = CODEC.encoder(REQUEST).encode(events)
    decoder = CODEC.decoder()
    assert [*decoder.feed(stream)][1:-1] == events[1:-1]


def test_a_refusal_follows_words_in_one_message() -> None:
    events = [Start("x", "m"), TextDelta("Well, "), RefusalDelta("no."), Stop("refusal"), End()]
    stream = CODEC.encoder(REQUEST).encode(events)
    response = json.loads(stream.split(b"\n\n")[-2].partition(b"data: ")[2])["response"]
    (message,) = response["output"]
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]
