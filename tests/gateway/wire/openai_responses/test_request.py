"""Requests of clients: read, refused, and written for a provider."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.wire.canonical import (
    ChatRequest,
    Document,
    Foreign,
    Image,
    Message,
    Reasoning,
    ResponseFormat,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from gateway.wire.codec import Losses
from gateway.wire.openai_responses import ResponsesCodec

CODEC = ResponsesCodec()
BODY = (Path(__file__).parent / "request.json").read_bytes()
OURS = "openai.responses"


def read(**fields: Any) -> ChatRequest:
    body = json.dumps({"model": "m", "input": "Hello", **fields}).encode()
    return CODEC.decode_request(body, model="m", stream=False)


def written(request: ChatRequest, *may_drop: str) -> dict[str, Any]:
    losses = Losses("openai", CODEC.names, may_drop=may_drop)
    body = CODEC.encode_request(request, "m", losses)
    losses.check()
    return json.loads(body)


def test_everything_that_the_form_knows_is_read() -> None:
    request = CODEC.decode_request(BODY, model="gpt-5.5", stream=True)
    instructions, asked, did, results, developer, user = request.messages
    assert instructions == Message(role="system", parts=(Text(text="Answer in one sentence."),))
    assert asked.parts[1:] == (
        Image(source=Source(media_type="image/png", data="iVBORw0KGgo="), detail="low"),
        Document(source=Source(media_type="application/pdf", data="JVBERi0="), name="paper.pdf"),
    )
    assert did.role == "assistant"
    assert did.parts == (
        Thinking(text="Two things to look at.", encrypted="gAAAAB-not-readable", id="rs_1", origin=OURS),
        Text(text="Let me look."),
        ToolCall(id="call_a", name="look", arguments='{"at":"picture"}'),
        ToolCall(id="call_b", name="grep", arguments="title", custom=True),
    )
    assert results.parts == (
        ToolResult(id="call_a", content=(Text(text="a harbour"),)),
        ToolResult(id="call_b", content=(Text(text="On Tides"),), custom=True),
    )
    assert (developer.role, user.role) == ("developer", "user")
    look, grep, search = request.tools
    assert isinstance(look, Tool)
    assert look.strict
    assert isinstance(grep, Tool)
    assert grep.custom
    assert search == Foreign(dialect=OURS, type="web_search", value={"type": "web_search"})
    assert request.tool_choice == ToolChoice(mode="auto", names=("look",))
    assert request.response_format == ResponseFormat(
        type="json_schema", name="finding", schema={"type": "object"}, strict=True
    )
    assert request.reasoning == Reasoning(effort="high", summary="auto")
    assert (request.logprobs, request.top_logprobs, request.verbosity) == (True, 2, "low")
    assert (request.user, request.cache_key, request.store) == ("reader-7", "tides", False)
    assert request.extra == {"truncation": "auto"}


def test_the_same_dialect_writes_it_as_it_was() -> None:
    request = CODEC.decode_request(BODY, model="gpt-5.5", stream=True)
    fields, given = written(request), json.loads(BODY)
    same = {"instructions", "tools", "tool_choice", "text", "reasoning", "top_logprobs", "max_output_tokens"}
    same |= {"prompt_cache_key", "safety_identifier", "metadata", "service_tier", "store", "truncation"}
    assert {name: fields[name] for name in same} == {name: given[name] for name in same}
    assert set(fields["include"]) == set(given["include"])
    assert [item.get("call_id") for item in fields["input"]] == [
        item.get("call_id") for item in given["input"]
    ]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": 5}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"input": [{"role": "sailor", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "input_song"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}]},
            "input[0].content[0].image_url",
        ),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments"),
        ({"input": [{"type": "function_call_output", "call_id": 1, "output": ""}]}, "input[0].call_id"),
        ({"tools": [{"name": "f"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"text": {"format": {"type": "sonnet"}}}, "text.format.type"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort"),
        ({"temperature": "warm"}, "temperature"),
    ],
)
def test_what_cannot_be_read_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(**fields)
    assert refused.value.param == param
    assert re.split(r"[.[]", param, maxsplit=1)[0] in refused.value.message


@pytest.mark.parametrize(
    "neutral",
    [
        {"truncation": "disabled"},
        {"max_tool_calls": 3},
        {"background": False},
        {"include": ["reasoning.encrypted_content"]},
        {"stream_options": {"include_obfuscation": True}},
        {"metadata": {}},
        {"conversation": None},
        {"a_field_of_tomorrow": None},
    ],
)
def test_what_says_nothing_is_no_loss(neutral: dict[str, Any]) -> None:
    assert read(**neutral).extra == {}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"conversation": "conv_1"}, "conversation"),
        ({"include": ["file_search_call.results"]}, "include"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [{"type": "web_search"}], "max_tool_calls": 3}, "max_tool_calls"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"a_field_of_tomorrow": 1}, "a_field_of_tomorrow"),
    ],
)
def test_what_only_this_api_can_say_is_kept_by_name(fields: dict[str, Any], name: str) -> None:
    assert name in read(**fields).extra


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"top_k": 3}, "top_k"),
        ({"stop": ("x",)}, "stop"),
        ({"seed": 3}, "seed"),
        ({"n": 2}, "n"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"1": 2.0}}, "logit_bias"),
        ({"modalities": ("text", "audio")}, "modalities"),
        ({"tools": (Foreign(dialect="x", type="bash", value={}),)}, "tools.bash"),
        ({"extra": {"prediction": {}}}, "prediction"),
    ],
)
def test_what_it_cannot_say_is_refused(changes: dict[str, Any], param: str) -> None:
    hello = (Message(role="user", parts=(Text(text="Hello"),)),)
    request = ChatRequest(dialect="openai.chat", model="m", messages=hello, **changes)
    with pytest.raises(InvalidRequest) as refused:
        written(request)
    assert refused.value.param == param
    assert "Hello" in json.dumps(written(request, param))


def test_neutral_values_of_other_dialects_are_no_losses() -> None:
    hello = (Message(role="user", parts=(Text(text="Hello"),)),)
    request = ChatRequest(
        dialect="openai.chat", model="m", messages=hello, n=1, presence_penalty=0.0, frequency_penalty=0.0
    )
    fields = written(request)
    assert fields["store"] is False
    assert fields["input"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
    ]


def test_a_tool_without_strictness_is_not_strict() -> None:
    hello = (Message(role="user", parts=(Text(text="Hello"),)),)
    request = ChatRequest(dialect="openai.chat", model="m", messages=hello, tools=(Tool(name="f"),))
    (tool,) = written(request)["tools"]
    assert tool == {
        "type": "function",
        "name": "f",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }


@pytest.mark.parametrize(
    ("budget", "effort"), [(0, "none"), (1024, "low"), (4096, "medium"), (20_000, "high")]
)
def test_a_budget_becomes_an_effort(budget: int, effort: str) -> None:
    hello = (Message(role="user", parts=(Text(text="Hello"),)),)
    request = ChatRequest(dialect="x", model="m", messages=hello, reasoning=Reasoning(budget=budget))
    assert written(request)["reasoning"] == {"effort": effort}


def test_thoughts_of_others_are_not_sent() -> None:
    thought = Thinking(text="Hm.", signature="s", origin="anthropic.messages")
    turns = (Message(role="assistant", parts=(thought, Text(text="Yes."))),)
    request = ChatRequest(dialect="anthropic.messages", model="m", messages=turns)
    fields = written(request, "thinking")
    assert [item["type"] for item in fields["input"]] == ["message"]
