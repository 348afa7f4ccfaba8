"""Requests to Converse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.wire.bedrock_converse import BedrockConverse
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
from gateway.wire.codec import Losses

CODEC = BedrockConverse()
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def encode(
    request: ChatRequest, model: str = CLAUDE, *, drop: frozenset[str] = frozenset()
) -> dict[str, Any]:
    losses = Losses("aws", {}, may_drop=drop)
    body = CODEC.encode_request(request, model, losses)
    losses.check()
    return json.loads(body)


def ask(*parts: Part | str, **fields: Any) -> ChatRequest:
    given = tuple(Text(text=part) if isinstance(part, str) else part for part in parts) or (Text(text="Hi"),)
    messages = fields.pop("messages", (Message(role="user", parts=given),))
    return ChatRequest(dialect="openai.chat", model="m", messages=messages, **fields)


def test_everything_at_once() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    request = ChatRequest(
        dialect="openai.chat",
        model="m",
        messages=(
            Message(role="system", parts=(Text(text="Be brief.", cache=CacheHint("1h")),)),
            Message(
                role="user",
                parts=(
                    Text(text="What is this?"),
                    Image(source=Source(media_type="image/jpg", data="aW1n")),
                    Image(source=Source(media_type="image/png", url="s3://bucket/a.png")),
                    Document(
                        source=Source(media_type="application/pdf", data="cGRm"),
                        name="Q3_report.pdf",
                        citations=True,
                    ),
                    Document(source=Source(text="plain"), name="Q3 report pdf", context="of May"),
                    Video(source=Source(media_type="video/mp4", data="bXA0")),
                    Audio(source=Source(media_type="audio/mpeg", data="bXAz")),
                ),
            ),
            Message(
                role="assistant",
                parts=(
                    Thinking(text="Hm.", signature="c2ln", origin="bedrock.converse"),
                    Thinking(encrypted="eHh4", origin="bedrock.converse"),
                    Text(text="Let me look."),
                    ToolCall(id="call_1", name="look", arguments='{"city":"Oslo"}'),
                    ToolCall(id="x" * 65, name="look", arguments=""),
                ),
            ),
            Message(
                role="tool",
                parts=(
                    ToolResult(id="call_1", content=(Text(text="Sunny"),), cache=CacheHint()),
                    ToolResult(id="x" * 65, content=(Text(text="No"),), is_error=True),
                ),
            ),
            Message(role="developer", parts=(Text(text="In French."),)),
            Message(role="user", parts=(Text(text="Go on."),)),
        ),
        tools=(
            Tool(name="look", description="Looks", parameters=schema, strict=True, cache=CacheHint()),
            Tool(name="wait"),
        ),
        tool_choice=ToolChoice(mode="required", names=("look",)),
        response_format=ResponseFormat(type="json_schema", name="out", schema=schema),
        max_tokens=100,
        temperature=0.5,
        top_p=0.9,
        stop=("END",),
        metadata={"team": "a-b"},
        service_tier="flex",
        extra={"guardrailConfig": {"guardrailIdentifier": "g1", "guardrailVersion": "1"}},
    )
    body = encode(request)
    other = body["messages"][1]["content"][4]["toolUse"].pop("toolUseId")
    assert body["messages"][2]["content"][2]["toolResult"].pop("toolUseId") == other
    assert len(other) <= 64
    assert body == {
        "system": [
            {"text": "Be brief."},
            {"cachePoint": {"type": "default", "ttl": "1h"}},
            {"text": "In French."},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "What is this?"},
                    {"image": {"format": "jpeg", "source": {"bytes": "aW1n"}}},
                    {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}},
                    {
                        "document": {
                            "format": "pdf",
                            "name": "Q3 report pdf",
                            "source": {"bytes": "cGRm"},
                            "citations": {"enabled": True},
                        }
                    },
                    {
                        "document": {
                            "name": "Q3 report pdf (2)",
                            "source": {"text": "plain"},
                            "context": "of May",
                        }
                    },
                    {"video": {"format": "mp4", "source": {"bytes": "bXA0"}}},
                    {"audio": {"format": "mp3", "source": {"bytes": "bXAz"}}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                    {"reasoningContent": {"redactedContent": "eHh4"}},
                    {"text": "Let me look."},
                    {"toolUse": {"toolUseId": "call_1", "name": "look", "input": {"city": "Oslo"}}},
                    {"toolUse": {"name": "look", "input": {}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "call_1", "content": [{"text": "Sunny"}]}},
                    {"cachePoint": {"type": "default"}},
                    {"toolResult": {"content": [{"text": "No"}], "status": "error"}},
                    {"text": "Go on."},
                ],
            },
        ],
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": "look",
                        "description": "Looks",
                        "inputSchema": {"json": schema},
                        "strict": True,
                    }
                },
                {"cachePoint": {"type": "default"}},
                {"toolSpec": {"name": "wait", "inputSchema": {"json": {"type": "object"}}}},
            ],
            "toolChoice": {"tool": {"name": "look"}},
        },
        "inferenceConfig": {"maxTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        "outputConfig": {
            "textFormat": {
                "type": "json_schema",
                "structure": {
                    "jsonSchema": {
                        "name": "out",
                        "schema": '{"type":"object","properties":{"city":{"type":"string"}},"additionalProperties":false}',
                    }
                },
            }
        },
        "requestMetadata": {"team": "a-b"},
        "serviceTier": {"type": "flex"},
        "guardrailConfig": {"guardrailIdentifier": "g1", "guardrailVersion": "1"},
    }


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"seed": 1}, "seed"),
        ({"n": 2}, "n"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"1": 2.0}}, "logit_bias"),
        ({"logprobs": True}, "logprobs"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"verbosity": "low"}, "verbosity"),
        ({"user": "me"}, "user"),
        ({"store": True}, "store"),
        ({"cache_key": "k"}, "cache_key"),
        ({"modalities": ("text", "audio")}, "modalities"),
        ({"metadata": {"a": "ä"}}, "metadata"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"service_tier": "scale"}, "service_tier"),
        ({"response_format": ResponseFormat(type="json_object")}, "response_format"),
        ({"extra": {"prediction": {}}}, "prediction"),
        ({"tools": (Tool(name="t", custom=True),)}, "tools.custom"),
        ({"tools": (Foreign(dialect="openai.chat", type="web", value={}),)}, "tools.web"),
    ],
    ids=str,
)
def test_what_cannot_be_said_is_refused_or_dropped(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(ask(**fields))
    assert caught.value.param == name
    assert set(encode(ask(**fields), drop=frozenset({name}))) == {"messages"}


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (Image(source=Source(url="https://example.com/a.png")), "messages.image"),
        (Image(source=Source(media_type="image/tiff", data="aQ==")), "messages.image"),
        (Audio(source=Source(media_type="audio/midi", data="aQ==")), "messages.audio"),
        (Video(source=Source(url="https://example.com/a.mp4")), "messages.video"),
        (Document(source=Source(file="file-1")), "messages.document"),
        (Thinking(text="Hm", origin="gemini.generate"), "thinking"),
        (Thinking(encrypted="eA==", origin="anthropic.messages"), "thinking"),
        (ToolCall(id="c", name="t", arguments="x", custom=True), "tools.custom"),
        (Foreign(dialect="openai.chat", type="file_search", value={}), "messages.file_search"),
    ],
    ids=str,
)
def test_parts_that_cannot_be_said(part: Part, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(ask("Hi", part))
    assert caught.value.param == name
    dropped = encode(ask("Hi", part), drop=frozenset({name}))
    assert dropped["messages"] == [{"role": "user", "content": [{"text": "Hi"}]}]


def test_neutral_values_are_no_losses() -> None:
    neutral: dict[str, Any] = {
        "n": 1,
        "presence_penalty": 0.0,
        "frequency_penalty": 0,
        "logprobs": False,
        "top_logprobs": 0,
        "parallel_tool_calls": True,
        "store": False,
        "modalities": ("text",),
        "service_tier": "auto",
        "response_format": ResponseFormat(type="text"),
        "reasoning": Reasoning(effort="none"),
        "logit_bias": {},
    }
    assert set(encode(ask(**neutral))) == {"messages"}


def test_words_that_need_no_block_of_their_own() -> None:
    request = ask(
        messages=(
            Message(role="user", parts=(Text(text=""), Text(text="Hi"))),
            Message(
                role="assistant",
                parts=(Refusal(text="No."), Audio(source=Source(), id="a1", transcript="Said.")),
            ),
        )
    )
    assert [message["content"] for message in encode(request)["messages"]] == [
        [{"text": "Hi"}],
        [{"text": "No."}, {"text": "Said."}],
    ]


def test_arguments_must_be_json() -> None:
    call = ToolCall(id="call_7", name="t", arguments='{"a": ')
    with pytest.raises(InvalidRequest, match="call_7"):
        encode(ask(messages=(Message(role="assistant", parts=(call,)),)))


def test_tools_that_may_not_be_used_are_left_out() -> None:
    tools = (Tool(name="a"), Tool(name="b"), Tool(name="c"))

    def named(**fields: Any) -> list[str]:
        config = encode(ask(tools=tools, **fields)).get("toolConfig", {"tools": []})
        return [tool["toolSpec"]["name"] for tool in config["tools"]]

    assert named(tool_choice=ToolChoice(mode="none")) == []
    assert named(tool_choice=ToolChoice(mode="auto", names=("a", "c"))) == ["a", "c"]
    assert named() == ["a", "b", "c"]
    called = (Message(role="assistant", parts=(ToolCall(id="c", name="a", arguments="{}"),)),)
    with pytest.raises(InvalidRequest, match="tool_choice"):
        named(tool_choice=ToolChoice(mode="none"), messages=called)


@pytest.mark.parametrize("thoughtful", [False, True])
def test_no_budget_for_thinking_after_calls_that_no_thought_precedes(*, thoughtful: bool) -> None:
    thought = (Thinking(text="Hm.", signature="c2ln", origin="bedrock.converse"),) if thoughtful else ()
    messages = (
        Message(role="user", parts=(Text(text="Hi"),)),
        Message(role="assistant", parts=(*thought, ToolCall(id="call_1", name="weather", arguments="{}"))),
        Message(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="Sun"),)),)),
    )
    tools = (Tool(name="weather", parameters={"type": "object"}),)
    request = ask(messages=messages, tools=tools, reasoning=Reasoning(effort="low"))
    body = encode(request, drop=frozenset({"thinking"}))
    assert ("thinking" in body.get("additionalModelRequestFields", {})) is thoughtful
    if not thoughtful:
        with pytest.raises(InvalidRequest, match="thinking"):
            encode(request)


def test_schemas_are_closed() -> None:
    shape = ResponseFormat(type="json_schema", schema={"type": "object"})
    sent = encode(ask(response_format=shape))["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert json.loads(sent["schema"]) == {"type": "object", "additionalProperties": False}
