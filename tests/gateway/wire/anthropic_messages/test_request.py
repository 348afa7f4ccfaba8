"""What Anthropic's clients send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.wire.anthropic_messages import AnthropicMessages, AnthropicMessagesCodec
from gateway.wire.canonical import (
    CacheHint,
    ChatRequest,
    Document,
    Foreign,
    Image,
    Message,
    Part,
    Reasoning,
    ResponseFormat,
    Role,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from gateway.wire.codec import Losses

CODEC = AnthropicMessagesCodec()
DIALECT = "anthropic.messages"


def decoded(**fields: Any) -> ChatRequest:
    body = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return CODEC.decode_request(json.dumps(body).encode(), model="m", stream=False)


def says(role: Role, *parts: Part) -> Message:
    return Message(role=role, parts=parts)


def block(fields: dict[str, Any]) -> Part:
    (message,) = decoded(messages=[{"role": "user", "content": [fields]}]).messages
    return message.parts[0]


def test_a_whole_request_of_a_client() -> None:
    request = decoded(
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        messages=[
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Ask.", "signature": "c2ln"},
                    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1]}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain", "is_error": False},
                    {"type": "text", "text": "And now?"},
                ],
            },
            {"role": "system", "content": "The user has left."},
        ],
        tools=[
            {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": True},
            {"type": "web_search_20260318", "name": "web_search"},
        ],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        output_config={"effort": "xhigh", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        thinking={"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
        metadata={"user_id": "u"},
        service_tier="standard_only",
        stop_sequences=["END"],
        container="c1",
    )
    search = {"type": "web_search_20260318", "name": "web_search"}
    assert request == ChatRequest(
        dialect=DIALECT,
        model="m",
        messages=(
            says("system", Text(text="Be brief.", cache=CacheHint("1h"))),
            says("user", Text(text="Weather?")),
            says(
                "assistant",
                Thinking(text="Ask.", signature="c2ln", origin=DIALECT),
                ToolCall(id="toolu_1", name="f", arguments='{"a":[1]}'),
            ),
            says("tool", ToolResult(id="toolu_1", content=(Text(text="rain"),))),
            says("user", Text(text="And now?")),
            says("system", Text(text="The user has left.")),
        ),
        tools=(
            Tool(name="f", description="d", parameters={"type": "object"}, strict=True),
            Foreign(dialect=DIALECT, type="web_search_20260318", value=search),
        ),
        tool_choice=ToolChoice(mode="required"),
        parallel_tool_calls=False,
        response_format=ResponseFormat(type="json_schema", schema={"type": "object"}),
        max_tokens=10,
        stop=("END",),
        reasoning=Reasoning(effort="xhigh", budget=2000, summary="none"),
        user="u",
        service_tier="default",
        extra={"container": "c1"},
    )
    again = json.loads(CODEC.encode_request(request, "m", Losses("anthropic", {})))
    assert CODEC.decode_request(json.dumps(again).encode(), model="m", stream=False) == request
    assert again["tools"][1] == search


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}},
            Image(source=Source(media_type="image/png", data="eA==")),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://x/y"}},
            Image(source=Source(url="https://x/y")),
        ),
        ({"type": "image", "source": {"type": "file", "file_id": "f1"}}, Image(source=Source(file="f1"))),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                "title": "T",
                "context": "C",
                "citations": {"enabled": True},
            },
            Document(
                source=Source(media_type="text/plain", text="words"), name="T", context="C", citations=True
            ),
        ),
        (
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
                },
            },
            Document(source=Source(media_type="text/plain", text="one\n\ntwo")),
        ),
    ],
)
def test_media(fields: dict[str, Any], part: Part) -> None:
    assert block(fields) == part


ONLY_ANTHROPICS: list[dict[str, Any]] = [
    {"type": "search_result", "source": "s", "title": "t", "content": []},
    {"type": "container_upload", "file_id": "f"},
    {"type": "image", "source": {"type": "file", "file_id": "f"}, "transformations": {"crop": 1}},
    {"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": {}}]}},
    {
        "type": "tool_use",
        "id": "a",
        "name": "b",
        "input": {},
        "caller": {"type": "code_execution_20260120"},
    },
]


@pytest.mark.parametrize("fields", ONLY_ANTHROPICS)
def test_what_only_anthropic_can_say_is_kept_as_it_is(fields: dict[str, Any]) -> None:
    assert block(fields) == Foreign(dialect=DIALECT, type=fields["type"], value=fields)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
            "messages.0.content.0.text",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}]},
            "messages.0.content.0.source.url",
        ),
        ({"tools": [{"description": "x"}]}, "tools.0"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not valid JSON"),
        (b'{"model": "m", "messages": [1]}', "'max_tokens'"),
        (b'{"messages": [1], "max_tokens": 1}', "'model'"),
        (b'{"model": "", "messages": [1], "max_tokens": 1}', "model"),
        (b'{"model": "m", "messages": [], "max_tokens": 1}', "messages"),
        (b'{"model": "m", "messages": [1], "max_tokens": "x"}', "max_tokens"),
    ],
)
def test_the_head_must_be_whole(body: bytes, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        AnthropicMessages().read(body)
