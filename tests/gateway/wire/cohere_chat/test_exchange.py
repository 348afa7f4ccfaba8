"""A client of OpenAI's on one side, Cohere on the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.testing.fakes import make_call
from gateway.wire import exchange

HERE = Path(__file__).parent
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Weather and time in Oslo?"}]}


def put(body: dict[str, Any]) -> dict[str, Any]:
    return json.loads(exchange(make_call(body), "cohere.chat", provider="cohere").prepare("command-a"))


def test_a_plan_and_the_ids_of_calls_come_back_to_cohere() -> None:
    calls = [
        {
            "id": "weather_x1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
        },
        {"id": "time_x2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
    ]
    message = {"role": "assistant", "tool_plan": "I will ask.", "tool_calls": calls}
    answer = {"id": "a", "finish_reason": "TOOL_CALL", "message": message}
    told, _ = exchange(make_call(ASK), "cohere.chat", provider="cohere").whole(json.dumps(answer).encode())
    said = json.loads(told)["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "4"} for call in calls]
    assert put({**ASK, "messages": [*ASK["messages"], said, *results]})["messages"] == [
        {"role": "user", "content": "Weather and time in Oslo?"},
        message,
        *results,
    ]


def test_a_stream_is_openais() -> None:
    reader = exchange(
        make_call({**ASK, "stream": True, "stream_options": {"include_usage": True}}),
        "cohere.chat",
        provider="cohere",
    ).reader()
    written = reader.feed((HERE / "tools.sse").read_bytes()) + reader.end()
    *chunks, done = [event.removeprefix(b"data: ") for event in written.split(b"\n\n") if event]
    assert done == b"[DONE]"
    deltas = [choice["delta"] for chunk in chunks for choice in json.loads(chunk)["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert [(call["index"], call["id"]) for call in calls if call.get("id")] == [
        (0, "weather_x1"),
        (1, "time_x2"),
    ]
    arguments = [
        "".join(call["function"].get("arguments", "") for call in calls if call["index"] == n) for n in (0, 1)
    ]
    assert [json.loads(text) for text in arguments] == [{"city": "Oslo"}, {}]
    assert reader.finished
    assert reader.usage is not None
    assert reader.usage.prompt_tokens == 37
