"""What Anthropic's API is sent for the clients of others."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.wire.anthropic_messages import AnthropicMessagesCodec
from gateway.wire.anthropic_messages.models import model
from gateway.wire.canonical import (
    Audio,
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
from gateway.wire.codec import EVERYTHING, Losses

CODEC = AnthropicMessagesCodec()
HI = (Message(role="user", parts=(Text(text="Hi"),)),)
NEW, OLD = "claude-opus-4-8", "claude-sonnet-4-5"


def encoded(name: str = NEW, *, messages: tuple[Message, ...] = HI, **fields: Any) -> dict[str, Any]:
    request = ChatRequest(dialect="openai.chat", model="m", messages=messages, **fields)
    losses = Losses("anthropic", {})
    body = CODEC.encode_request(request, name, losses)
    losses.check()
    return json.loads(body)


def says(role: Role, *parts: Part) -> Message:
    return Message(role=role, parts=parts)


def test_a_conversation_of_openais_client() -> None:
    fields = encoded(
        messages=(
            says("system", Text(text="One.")),
            says("developer", Text(text="Two.")),
            says("user", Text(text="Hi")),
            says(
                "assistant",
                Text(text=""),
                ToolCall(id="functions.f:0", name="f", arguments=""),
                ToolCall(id="b", name="g", arguments='{"x": 1}'),
            ),
            says("tool", ToolResult(id="functions.f:0", content=(Text(text="1"),)), ToolResult(id="b")),
            says("user", Text(text="Go on.")),
        ),
        tools=(Tool(name="f"),),
    )
    assert fields["system"] == [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    assert fields["messages"] == [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "functions_f_0", "name": "f", "input": {}},
                {"type": "tool_use", "id": "b", "name": "g", "input": {"x": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "functions_f_0", "content": "1"},
                {"type": "tool_result", "tool_use_id": "b"},
                {"type": "text", "text": "Go on."},
            ],
        },
    ]
    assert fields["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]


@pytest.mark.parametrize(("name", "stays"), [(NEW, True), (OLD, False), ("claude-sonnet-5", False)])
def test_instructions_in_the_midst_of_a_conversation(name: str, stays: bool) -> None:
    fields = encoded(name, messages=(*HI, says("system", Text(text="Be brief."))))
    assert ("system" in fields) is not stays
    assert [message["role"] for message in fields["messages"]] == (["user", "system"] if stays else ["user"])


@pytest.mark.parametrize(
    ("choice", "parallel", "written"),
    [
        (None, None, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="none"), False, {"type": "none"}),
        (ToolChoice(mode="required"), True, {"type": "any"}),
        (ToolChoice(mode="required", names=("f",)), None, {"type": "tool", "name": "f"}),
    ],
)
def test_the_choice_of_tools(choice: ToolChoice | None, parallel: bool | None, written: Any) -> None:
    fields = encoded(tools=(Tool(name="f"),), tool_choice=choice, parallel_tool_calls=parallel)
    assert fields.get("tool_choice") == written


@pytest.mark.parametrize(
    ("name", "reasoning", "thinking", "effort"),
    [
        (NEW, Reasoning(effort="high"), {"type": "adaptive"}, "high"),
        (NEW, Reasoning(effort="minimal"), {"type": "adaptive"}, "low"),
        (NEW, Reasoning(budget=-1, summary="auto"), {"type": "adaptive", "display": "summarized"}, None),
        (NEW, Reasoning(budget=8000, summary="none"), {"type": "adaptive", "display": "omitted"}, "medium"),
        (NEW, Reasoning(effort="none"), {"type": "disabled"}, None),
        ("claude-sonnet-5-5", Reasoning(budget=0), {"type": "between_tools"}, None),
        (OLD, Reasoning(effort="medium"), {"type": "enabled", "budget_tokens": 8192}, None),
        (OLD, Reasoning(budget=100), {"type": "enabled", "budget_tokens": 1024}, None),
        (OLD, Reasoning(summary="auto"), None, None),
    ],
)
def test_how_much_to_think(name: str, reasoning: Reasoning, thinking: Any, effort: str | None) -> None:
    fields = encoded(name, reasoning=reasoning)
    assert fields.get("thinking") == thinking
    assert fields.get("output_config", {}).get("effort") == effort


def test_a_budget_stays_below_the_limit_of_the_answer() -> None:
    fields = encoded(OLD, reasoning=Reasoning(effort="high"), max_tokens=5000)
    assert fields["thinking"]["budget_tokens"] == 4999
    with pytest.raises(InvalidRequest, match="reasoning"):
        encoded(OLD, reasoning=Reasoning(effort="high"), max_tokens=1000)


@pytest.mark.parametrize(
    ("name", "adaptive", "most"),
    [
        ("claude-fable-5-2", True, 64_000),
        ("us.anthropic.claude-opus-4-8-20260528-v1:0", True, 64_000),
        ("claude-mythos-preview", True, 64_000),
        ("claude-haiku-4-5-20251001", False, 64_000),
        ("claude-opus-4@20250514", False, 32_000),
        ("claude-3-7-sonnet-20250219", False, 64_000),
        ("claude-3-5-haiku-latest", False, 8_192),
        ("claude-3-opus-20240229", False, 4_096),
        ("deepseek-chat", False, 4_096),
    ],
)
def test_what_is_known_of_models(name: str, adaptive: bool, most: int) -> None:
    assert model(name).adaptive is adaptive
    assert encoded(name)["max_tokens"] == most


def test_sampling_for_models_that_take_it_and_for_others() -> None:
    assert (
        encoded(OLD, temperature=1.5, top_p=0.5, top_k=3).items()
        >= {"temperature": 1.0, "top_p": 0.5, "top_k": 3}.items()
    )
    assert not {"temperature", "top_p"} & encoded(NEW, temperature=1.0, top_p=1).keys()
    refused: dict[str, Any] = {"temperature": 0.5, "top_p": 0.5, "top_k": 3}
    for field, value in refused.items():
        with pytest.raises(InvalidRequest, match=field):
            encoded(NEW, **{field: value})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"response_format": ResponseFormat(type="json_object")}, "response_format"),
        ({"modalities": ("text", "audio")}, "modalities"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"extra": {"prediction": {}}}, "prediction"),
        ({"tools": (Tool(name="f", custom=True),)}, "tools.custom"),
        ({"tools": (Foreign(dialect="x", type="web_search", value={}),)}, "tools.web_search"),
        ({"tool_choice": ToolChoice(mode="auto", names=("f",))}, "tool_choice"),
        ({"messages": (says("user", Audio(source=Source(data="eA=="))),)}, "messages.audio"),
        ({"messages": (says("system", Image(source=Source(url="https://x/y"))),)}, "messages.image"),
        ({"messages": (Message(role="user", name="Ann", parts=(Text(text="x"),)),)}, "messages.name"),
        (
            {"messages": (says("user", Document(source=Source(data="eA==", media_type="application/zip"))),)},
            "messages.document",
        ),
        ({"messages": (says("assistant", Thinking(text="Hm", origin="gemini.generate")),)}, "thinking"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name_or_left_out(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encoded(**fields)
    assert caught.value.param == named
    losses = Losses("anthropic", {}, may_drop=EVERYTHING)
    values: dict[str, Any] = {"messages": HI, **fields}
    CODEC.encode_request(ChatRequest(dialect="openai.chat", model="m", **values), NEW, losses)
    losses.check()
    assert losses.dropped == [named]


def test_neutral_values_are_no_losses() -> None:
    fields = encoded(
        n=1, presence_penalty=0.0, logprobs=False, store=False, parallel_tool_calls=True, modalities=("text",)
    )
    assert fields.keys() == {"model", "messages", "max_tokens"}


def test_a_text_file_becomes_the_text_it_holds() -> None:
    data = base64.b64encode("Grüße".encode()).decode()
    source = Source(data=data, media_type="text/markdown")
    fields = encoded(messages=(says("user", Document(source=source, name="a.md")),))
    assert fields["messages"][0]["content"] == [
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
            "title": "a.md",
        }
    ]


def test_arguments_that_are_no_object_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="'c'"):
        encoded(messages=(*HI, says("assistant", ToolCall(id="c", name="f", arguments="[1"))))


TOOL = Tool(name="weather", parameters={"type": "object"})
CALL = ToolCall(id="call_1", name="weather", arguments="{}")
RESULT = Message(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="Sun"),)),))


@pytest.mark.parametrize(
    ("name", "said", "thinks"),
    [
        (OLD, (CALL,), False),
        (OLD, (Text(text="I look."), CALL), False),
        (OLD, (Thinking(text="Well.", signature="c2ln", origin="anthropic.messages"), CALL), True),
        (NEW, (CALL,), True),
    ],
)
def test_no_budget_for_thinking_after_calls_that_no_thought_precedes(
    name: str, said: tuple[Part, ...], thinks: bool
) -> None:
    messages = (*HI, says("assistant", *said), RESULT)
    request = ChatRequest(
        dialect="openai.chat", model="m", messages=messages, tools=(TOOL,), reasoning=Reasoning(effort="low")
    )
    losses = Losses("anthropic", {}, may_drop={"thinking"})
    fields = json.loads(CODEC.encode_request(request, name, losses))
    losses.check()
    assert ("thinking" in fields) is thinks
    assert losses.dropped == ([] if thinks else ["thinking"])


def test_schemas_of_other_clients_are_closed() -> None:
    shape = ResponseFormat(type="json_schema", schema={"type": "object", "properties": {}})
    schema = encoded(response_format=shape)["output_config"]["format"]["schema"]
    assert schema["additionalProperties"] is False
