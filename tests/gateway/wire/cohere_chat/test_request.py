"""Requests to Cohere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from gateway.errors import InvalidRequest
from gateway.wire.canonical import (
    Audio,
    AudioOutput,
    CacheHint,
    ChatRequest,
    Citation,
    Document,
    Foreign,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
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
from gateway.wire.cohere_chat import CohereChatCodec

from ..canonical_strategies import Features, requests

HERE = Path(__file__).parent
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
NOTE = Document(source=Source(media_type="text/plain", text="Buy milk"), name="note.txt", citations=True)
FEATURES = Features(
    dialect="openai.chat",
    opening=("system", "developer"),
    data_images=True,
    url_images=True,
    details=("low", "high", "auto"),
    text_documents=True,
    document_names=True,
    refusals=True,
    result_errors=True,
    schemas=True,
    allowed_tools=True,
    fields=frozenset(
        {"max_tokens", "temperature", "top_p", "top_k", "stop", "seed", "logprobs", "reasoning_effort"}
    ),
)


def ask(*parts: Part, **fields: Any) -> ChatRequest:
    message = Message(role="user", parts=parts or (Text(text="Hi"),))
    return ChatRequest(dialect="openai.chat", model="m", messages=(message,), **fields)


def said(*messages: Message) -> ChatRequest:
    return ChatRequest(dialect="openai.chat", model="m", messages=messages)


def encode(request: ChatRequest, *, may_drop: Any = frozenset()) -> dict[str, Any]:
    losses = Losses("cohere", {}, may_drop=may_drop)
    body = CohereChatCodec().encode_request(request, "command-a-03-2025", losses)
    losses.check()
    return json.loads(body)


def test_everything_that_cohere_can_say() -> None:
    request = ChatRequest(
        dialect="openai.chat",
        model="cohere/command-a-03-2025",
        stream=True,
        messages=(
            Message(role="system", parts=(Text(text="Answer in one sentence."),)),
            Message(
                role="user",
                parts=(
                    Text(text="What is on these, and what does the note say?"),
                    Image(source=Source(media_type="image/png", data="aGk="), detail="low"),
                    Image(source=Source(url="https://files.example.com/cat.jpg")),
                    NOTE,
                ),
            ),
            Message(
                role="assistant",
                parts=(
                    Thinking(text="I will look both places up.", id="tool_plan", origin="cohere.chat"),
                    Thinking(text="Two places.", signature="c2ln", origin="anthropic.messages"),
                    Text(
                        text="One moment.",
                        citations=(Citation(title="note.txt", cited="Buy milk", start=0, end=3, document=0),),
                    ),
                    ToolCall(id="call_a", name="weather", arguments='{"city":"Oslo"}'),
                    ToolCall(id="call_b", name="weather", arguments=""),
                ),
            ),
            Message(
                role="tool",
                parts=(
                    ToolResult(id="call_a", content=(Text(text="Rain, 4 degrees"),)),
                    ToolResult(id="call_b", content=(Text(text="no such city"),), is_error=True),
                ),
            ),
            Message(role="developer", parts=(Text(text="Be kind."),)),
            Message(role="user", parts=(Text(text="Thanks. And now?"),)),
        ),
        tools=(
            Tool(name="weather", description="The weather of a city", parameters=CITY, strict=True),
            Tool(name="time", parameters=CITY),
        ),
        tool_choice=ToolChoice(mode="required", names=("weather",)),
        parallel_tool_calls=True,
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
        reasoning=Reasoning(effort="low", summary="auto"),
        service_tier="auto",
        store=False,
        modalities=("text",),
        extra={"safety_mode": "STRICT", "thinking": None},
    )
    assert encode(request) == json.loads((HERE / "request.json").read_text("utf-8"))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(requests(FEATURES))
def test_what_cohere_can_say_is_never_refused(request: ChatRequest) -> None:
    body = encode(request)
    roles = [message["role"] for message in body["messages"]]
    assert "system" not in roles[1:], "Cohere takes instructions first or not at all"
    asked = [part.id for message in request.messages for part in message.parts if isinstance(part, ToolCall)]
    sent = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    results = [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
    assert sent == results == asked, "ids of tool calls survive"


@pytest.mark.parametrize(
    ("request_", "lost"),
    [
        (ask(Audio(source=Source(media_type="audio/wav", data="aGk="))), "messages.audio"),
        (ask(Video(source=Source(media_type="video/mp4", data="aGk="))), "messages.video"),
        (ask(Document(source=Source(media_type="application/pdf", data="aGk="))), "messages.document"),
        (ask(Image(source=Source(file="file_1"))), "messages.image"),
        (ask(Foreign(dialect="openai.chat", type="hologram", value={})), "messages.hologram"),
        (ask(Text(text="Hi", cache=CacheHint())), "cache_control"),
        (said(Message(role="user", parts=(Text(text="Hi"),), name="ann")), "messages.name"),
        (said(Message(role="assistant", parts=(Thinking(encrypted="eA=="),))), "thinking"),
        (
            said(
                Message(role="assistant", parts=(ToolCall(id="1", name="sh", arguments="ls", custom=True),))
            ),
            "tools.custom",
        ),
        (ask(tools=(Tool(name="sh", custom=True),)), "tools.custom"),
        (ask(tools=(Foreign(dialect="openai.chat", type="web_search", value={}),)), "tools.web_search"),
        (ask(tools=(Tool(name="a", strict=True), Tool(name="b"))), "tools.strict"),
        (ask(n=2), "n"),
        (ask(parallel_tool_calls=False), "parallel_tool_calls"),
        (ask(logit_bias={"1": 1.0}), "logit_bias"),
        (ask(logprobs=True, top_logprobs=3), "top_logprobs"),
        (ask(verbosity="low"), "verbosity"),
        (ask(user="ann"), "user"),
        (ask(metadata={"a": "b"}), "metadata"),
        (ask(service_tier="priority"), "service_tier"),
        (ask(store=True), "store"),
        (ask(cache_key="k"), "cache_key"),
        (ask(modalities=("text", "audio")), "modalities"),
        (ask(audio=AudioOutput(voice="alloy")), "audio"),
        (ask(extra={"web_search_options": {}}), "web_search_options"),
    ],
)
def test_what_cohere_cannot_say_is_refused_or_dropped(request_: ChatRequest, lost: str) -> None:
    with pytest.raises(InvalidRequest, match=lost) as caught:
        encode(request_)
    assert caught.value.param == lost
    encode(request_, may_drop={lost})
    encode(request_, may_drop=EVERYTHING)


@pytest.mark.parametrize(
    ("reasoning", "thinking"),
    [
        (Reasoning(effort="none"), {"type": "disabled"}),
        (Reasoning(budget=0), {"type": "disabled"}),
        (Reasoning(effort="medium"), {"type": "enabled", "token_budget": 8192}),
        (Reasoning(effort="high"), {"type": "enabled"}),
        (Reasoning(budget=-1), {"type": "enabled"}),
        (Reasoning(budget=777), {"type": "enabled", "token_budget": 777}),
        (Reasoning(summary="auto"), None),
        (None, None),
    ],
)
def test_effort_becomes_a_budget(reasoning: Reasoning | None, thinking: object) -> None:
    assert encode(ask(reasoning=reasoning)).get("thinking") == thinking


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        (ResponseFormat(type="text"), None),
        (ResponseFormat(type="json_object"), {"type": "json_object"}),
        (
            ResponseFormat(type="json_schema", name="c", schema=CITY, strict=True),
            {"type": "json_object", "json_schema": CITY},
        ),
        (
            ResponseFormat(type="json_schema", description="A city", schema=CITY),
            {"type": "json_object", "json_schema": {"description": "A city", **CITY}},
        ),
    ],
)
def test_structured_output(wanted: ResponseFormat, sent: object) -> None:
    assert encode(ask(response_format=wanted)).get("response_format") == sent


def test_tool_choice() -> None:
    tools = (Tool(name="a"), Tool(name="b"))
    some = encode(ask(tools=tools, tool_choice=ToolChoice(mode="auto", names=("b",))))
    assert [tool["function"]["name"] for tool in some["tools"]] == ["b"]
    assert "tool_choice" not in some
    assert encode(ask(tools=tools, tool_choice=ToolChoice(mode="none")))["tool_choice"] == "NONE"


def test_documents_that_need_no_citation_switch_citations_off() -> None:
    plain = Document(source=Source(text="Buy milk"), context="a list")
    body = encode(ask(Text(text="What to buy?"), plain))
    assert body["citation_options"] == {"mode": "OFF"}
    assert body["documents"] == [{"id": "doc:0", "data": {"context": "a list", "text": "Buy milk"}}]
    assert body["messages"] == [{"role": "user", "content": "What to buy?"}]


def test_documents_of_the_client_come_after_those_of_the_messages() -> None:
    body = encode(ask(Text(text="?"), NOTE, extra={"documents": ["more"]}))
    assert body["documents"] == [{"id": "doc:0", "data": {"title": "note.txt", "text": "Buy milk"}}, "more"]


def test_a_refusal_of_old_is_told_in_its_words() -> None:
    body = encode(said(Message(role="assistant", parts=(Refusal(text="I would rather not."),))))
    assert body["messages"] == [{"role": "assistant", "content": "I would rather not."}]
