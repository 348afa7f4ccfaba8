"""What a provider's tools did is told to clients of OpenAI's responses, whole and streamed, and counted."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from gateway.types import Call, Dialect, Principal, Usage
from gateway.wire import CODECS, WIRES, sse
from gateway.wire.codec import ChatCodec
from gateway.wire.exchange import TranslatingReader

ASKED = b'{"model": "m", "input": "What is new?"}'
ANTHROPIC: list[dict[str, Any]] = [
    {"type": "text", "text": "Let me look."},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "tide Kyoto"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [{"type": "web_search_result", "url": "https://a.example/", "title": "A"}],
    },
    {
        "type": "server_tool_use",
        "id": "srvtoolu_2",
        "name": "bash_code_execution",
        "input": {"command": "echo 4"},
    },
    {
        "type": "bash_code_execution_tool_result",
        "tool_use_id": "srvtoolu_2",
        "content": {"type": "bash_code_execution_result", "stdout": "4\n", "stderr": "", "return_code": 0},
    },
    {"type": "text", "text": "It is 4."},
]
GEMINI: dict[str, Any] = {
    "candidates": [
        {
            "index": 0,
            "content": {
                "role": "model",
                "parts": [
                    {"executableCode": {"language": "PYTHON", "code": "print(4)"}},
                    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "4\n"}},
                    {"text": "It is 4."},
                ],
            },
            "finishReason": "STOP",
            "groundingMetadata": {"webSearchQueries": ["tide Kyoto"]},
        }
    ],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 8},
    "modelVersion": "gemini",
    "responseId": "r",
}


def codec(dialect: Dialect) -> ChatCodec:
    return cast("ChatCodec", CODECS[dialect])


def message() -> bytes:
    usage = {"input_tokens": 5, "output_tokens": 3, "server_tool_use": {"web_search_requests": 1}}
    head = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "stop_reason": "end_turn",
    }
    return msgspec.json.encode({**head, "content": ANTHROPIC, "usage": usage})


def message_stream() -> bytes:
    usage = {"input_tokens": 5, "output_tokens": 3, "server_tool_use": {"web_search_requests": 1}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "msg_1", "model": "claude", "usage": {"input_tokens": 5}}}
    ]
    for index, block in enumerate(ANTHROPIC):
        start: dict[str, Any] = block
        deltas: list[dict[str, Any]] = []
        if block["type"] == "text":
            start, deltas = {"type": "text", "text": ""}, [{"type": "text_delta", "text": block["text"]}]
        elif block["type"] == "server_tool_use":
            text = msgspec.json.encode(block["input"]).decode()
            start = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in (text[:4], text[4:])]
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events += [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    return b"".join(sse.event(msgspec.json.encode(event), event["type"]) for event in events)


def whole(dialect: Dialect, body: bytes) -> tuple[list[dict[str, Any]], Usage]:
    request = codec("openai.responses").decode_request(ASKED, model="m", stream=False)
    answer = codec(dialect).decode_answer(body)
    response = msgspec.json.decode(codec("openai.responses").encode_answer(answer, request))
    return response["output"], codec(dialect).usage(answer, request)


def streamed(
    dialect: Dialect, body: bytes, size: int
) -> tuple[list[dict[str, Any]], Usage | None, list[str]]:
    request = codec("openai.responses").decode_request(ASKED, model="m", stream=True)
    reader = TranslatingReader(codec(dialect).decoder(), codec("openai.responses").encoder(request), 1)
    data = b"".join(reader.feed(body[start : start + size]) for start in range(0, len(body), size))
    data += reader.end()
    assert reader.failure is None
    events = [msgspec.json.decode(sse.payload(event)) for event in data[:-2].split(b"\n\n")]
    (last,) = [event for event in events if event["type"] == "response.completed"]
    return last["response"]["output"], reader.usage, [event["type"] for event in events]


def told(output: list[dict[str, Any]]) -> list[Any]:
    """Each item in short."""
    return [(item["type"], _shown(item)) for item in output]


def _shown(item: dict[str, Any]) -> Any:
    match item["type"]:
        case "message":
            return "".join(part["text"] for part in item["content"])
        case "web_search_call":
            return item["status"], item["action"]["query"]
        case _:
            return item["status"], item["code"], item["outputs"][0]["logs"]


CLAUDES = [
    ("message", "Let me look."),
    ("web_search_call", ("completed", "tide Kyoto")),
    ("code_interpreter_call", ("completed", "echo 4", "4\n")),
    ("message", "It is 4."),
]
GEMINIS = [
    ("web_search_call", ("completed", "tide Kyoto")),
    ("code_interpreter_call", ("completed", "print(4)", "4\n")),
    ("message", "It is 4."),
]


def test_what_claude_did_is_told():
    output, usage = whole("anthropic.messages", message())
    assert told(output) == CLAUDES
    assert len({item["id"] for item in output}) == len(output)
    assert usage.searches == 1


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_what_claude_does_is_told_as_it_happens(size: int):
    output, usage, kinds = streamed("anthropic.messages", message_stream(), size)
    assert told(output) == CLAUDES
    assert usage
    assert usage.searches == 1
    assert kinds.count("response.output_item.added") == kinds.count("response.output_item.done") == 4


def test_what_gemini_did_is_told():
    output, usage = whole("gemini.generate", msgspec.json.encode(GEMINI))
    assert told(output) == GEMINIS
    assert usage.searches == 1


def test_what_gemini_does_is_told_as_it_happens():
    event = sse.event(msgspec.json.encode(GEMINI))
    output, usage, _ = streamed("gemini.generate", event, 5)
    assert sorted(told(output)) == sorted(GEMINIS)
    assert usage
    assert usage.searches == 1


OUTPUT = [
    {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "a"},
    },
    {
        "type": "web_search_call",
        "id": "ws_2",
        "status": "completed",
        "action": {"type": "open_page", "url": "b"},
    },
    {"type": "web_search_call", "id": "ws_3", "status": "completed"},
    {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["c"]},
    {"type": "code_interpreter_call", "id": "ci_1", "code": "1", "container_id": "cntr_1"},
    {"type": "code_interpreter_call", "id": "ci_2", "code": "2", "container_id": "cntr_1"},
    {"type": "mcp_call", "id": "mcp_1", "name": "x", "arguments": "{}", "server_label": "y"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
]
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt",
    "created_at": 1,
    "status": "completed",
    "output": OUTPUT,
    "usage": {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8},
}


def test_what_openai_charges_by_the_call_is_counted_in_what_passes_through():
    wire = WIRES["openai.responses"]
    expected = Usage(prompt_tokens=5, completion_tokens=3, searches=2, file_searches=1, containers=1)
    assert wire.usage(msgspec.json.encode(RESPONSE)) == expected
    call = Call(
        id="call_1",
        request_id="req_1",
        client_request_id=None,
        capability="responses",
        dialect="openai.responses",
        model="m",
        stream=True,
        shows_usage=True,
        body=ASKED,
        principal=Principal(tenant="t", authenticator=""),
        received_at=0.0,
    )
    reader = wire.reader(call)
    last = {"type": "response.completed", "response": RESPONSE}
    reader.feed(sse.event(msgspec.json.encode(last), "response.completed"))
    assert reader.usage == expected


def test_what_openai_charges_by_the_call_is_counted_in_what_is_translated():
    answer = codec("openai.responses").decode_answer(msgspec.json.encode(RESPONSE))
    assert answer.usage
    assert (answer.usage.searches, answer.usage.file_searches, answer.usage.containers) == (2, 1, 1)


@pytest.mark.parametrize("output", [None, 3, [3], [{"type": 3}], [{"type": "web_search_call", "action": 3}]])
def test_an_output_of_another_shape_still_has_its_tokens_counted(output: Any):
    usage = WIRES["openai.responses"].usage(msgspec.json.encode({**RESPONSE, "output": output}))
    assert usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (5, 3)
