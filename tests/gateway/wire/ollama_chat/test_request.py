"""Requests to Ollama."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from gateway.errors import InvalidRequest
from gateway.wire.canonical import (
    Audio,
    CacheHint,
    ChatRequest,
    Document,
    Foreign,
    Image,
    Message,
    Part,
    Reasoning,
    ResponseFormat,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Video,
)
from gateway.wire.codec import EVERYTHING, Losses
from gateway.wire.ollama_chat import OllamaChatCodec

from ..canonical_strategies import Features, requests

HERE = Path(__file__).parent
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
PICTURE = Image(source=Source(media_type="image/png", data="aGk="))
FEATURES = Features(
    dialect="openai.chat",
    opening=("system", "developer"),
    data_images=True,
    audio=("audio/wav",),
    refusals=True,
    result_errors=True,
    result_images=True,
    schemas=True,
    fields=frozenset(
        {
            "max_tokens",
            "temperature",
            "top_p",
            "top_k",
            "stop",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "logprobs",
            "top_logprobs",
            "reasoning_effort",
            "reasoning_budget",
        }
    ),
)


def ask(*parts: Part, **fields: Any) -> ChatRequest:
    message = Message(role="user", parts=parts or (Text(text="Hi"),))
    return ChatRequest(dialect="openai.chat", model="m", messages=(message,), **fields)


def said(*messages: Message) -> ChatRequest:
    return ChatRequest(dialect="openai.chat", model="m", messages=messages)


def encode(request: ChatRequest, *, may_drop: Any = frozenset()) -> dict[str, Any]:
    losses = Losses("ollama", {}, may_drop=may_drop)
    body = OllamaChatCodec().encode_request(request, "qwen3:8b", losses)
    losses.check()
    return json.loads(body)


def test_everything_that_ollama_can_say() -> None:
    sound = Audio(source=Source(media_type="audio/wav", data="c291bmQ="))
    request = ChatRequest(
        dialect="openai.chat",
        model="ollama/qwen3:8b",
        stream=True,
        messages=(
            Message(role="developer", parts=(Text(text="Answer in one sentence."),)),
            Message(
                role="user",
                parts=(Text(text="What is this?"), PICTURE, Text(text="And what is said?"), sound),
            ),
            Message(
                role="assistant",
                parts=(
                    Thinking(text="Two places.", signature="c2ln", origin="anthropic.messages"),
                    Text(text="One moment."),
                    ToolCall(id="call_a", name="weather", arguments='{"city":"Oslo"}'),
                    ToolCall(id="call_b", name="time", arguments=""),
                ),
            ),
            Message(
                role="tool",
                parts=(
                    ToolResult(id="call_a", content=(Text(text="Rain, 4 degrees"),)),
                    ToolResult(id="call_b", content=(Text(text="no clock"), PICTURE), is_error=True),
                ),
            ),
            Message(role="system", parts=(Text(text="Be kind."),)),
            Message(role="user", parts=(Text(text="Thanks. And now?"),)),
        ),
        tools=(
            Tool(name="weather", description="The weather of a city", parameters=CITY, strict=False),
            Tool(name="time"),
        ),
        tool_choice=ToolChoice(mode="auto", names=("weather",)),
        response_format=ResponseFormat(type="json_schema", name="c", schema=CITY, strict=True),
        max_tokens=300,
        temperature=0.25,
        top_p=0.5,
        top_k=40,
        stop=("END",),
        seed=7,
        n=1,
        presence_penalty=0,
        frequency_penalty=0.5,
        logprobs=True,
        top_logprobs=2,
        reasoning=Reasoning(effort="medium"),
        extra={"keep_alive": "10m", "options": {"num_ctx": 8192}},
    )
    assert encode(request) == json.loads((HERE / "request.json").read_text("utf-8"))


@given(requests(FEATURES))
def test_what_ollama_can_say_is_refused_only_for_a_forced_tool(request: ChatRequest) -> None:
    body = encode(request, may_drop={"tool_choice"})
    asked = [part.id for message in request.messages for part in message.parts if isinstance(part, ToolCall)]
    sent = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    results = [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
    assert sent == results == asked, "ids of tool calls survive"
    named = [message["tool_name"] for message in body["messages"] if message["role"] == "tool"]
    called = [
        call["function"]["name"] for message in body["messages"] for call in message.get("tool_calls", ())
    ]
    assert named == called, "results are named as Ollama's templates want them"


@pytest.mark.parametrize(
    ("request_", "lost"),
    [
        (ask(Image(source=Source(url="https://files.example.com/a.png"))), "messages.image.url"),
        (ask(Audio(source=Source(url="https://files.example.com/a.wav"))), "messages.audio.url"),
        (ask(Image(source=Source(file="file_1"))), "messages.image"),
        (ask(Video(source=Source(media_type="video/mp4", data="aGk="))), "messages.video"),
        (ask(Document(source=Source(text="Buy milk"))), "messages.document"),
        (ask(Foreign(dialect="openai.chat", type="hologram", value={})), "messages.hologram"),
        (ask(Text(text="Hi", cache=CacheHint())), "cache_control"),
        (said(Message(role="user", parts=(Text(text="Hi"),), name="ann")), "messages.name"),
        (said(Message(role="assistant", parts=(Thinking(encrypted="eA=="),))), "thinking"),
        (ask(tools=(Tool(name="sh", custom=True),)), "tools.custom"),
        (ask(tools=(Foreign(dialect="openai.chat", type="web_search", value={}),)), "tools.web_search"),
        (ask(tools=(Tool(name="a", strict=True),)), "tools.strict"),
        (ask(tools=(Tool(name="a"),), tool_choice=ToolChoice(mode="required")), "tool_choice"),
        (ask(n=2), "n"),
        (ask(parallel_tool_calls=False), "parallel_tool_calls"),
        (ask(logit_bias={"1": 1.0}), "logit_bias"),
        (ask(user="ann"), "user"),
        (ask(store=True), "store"),
        (ask(extra={"safety_mode": "STRICT"}), "safety_mode"),
    ],
)
def test_what_ollama_cannot_say_is_refused_or_dropped(request_: ChatRequest, lost: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(request_)
    assert caught.value.param == lost
    assert f"'{lost}'" in caught.value.message
    encode(request_, may_drop={lost})
    encode(request_, may_drop=EVERYTHING)


@pytest.mark.parametrize(
    ("reasoning", "think"),
    [
        (Reasoning(effort="none"), False),
        (Reasoning(effort="minimal"), "low"),
        (Reasoning(effort="xhigh"), "max"),
        (Reasoning(budget=0), False),
        (Reasoning(budget=-1), True),
        (Reasoning(budget=1024), "low"),
        (Reasoning(budget=8000), "medium"),
        (Reasoning(budget=32_000), "high"),
        (Reasoning(summary="auto"), None),
        (None, None),
    ],
)
def test_how_much_to_think(reasoning: Reasoning | None, think: object) -> None:
    assert encode(ask(reasoning=reasoning)).get("think") == think


def test_json_mode_and_no_tools() -> None:
    body = encode(
        ask(
            response_format=ResponseFormat(type="json_object"),
            tools=(Tool(name="a"),),
            tool_choice=ToolChoice(mode="none"),
        )
    )
    assert body["format"] == "json"
    assert "tools" not in body


@pytest.mark.parametrize("arguments", ["[1]", "{", "7"])
def test_arguments_must_be_an_object(arguments: str) -> None:
    call = ToolCall(id="call_1", name="a", arguments=arguments)
    with pytest.raises(InvalidRequest, match="call_1"):
        encode(said(Message(role="assistant", parts=(call,))))


def test_options_must_be_an_object() -> None:
    with pytest.raises(InvalidRequest, match="'options'"):
        encode(ask(extra={"options": "num_ctx=1"}))
