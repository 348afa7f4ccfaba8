"""What other clients ask, put to Gemini; what Gemini's clients ask, put to others; and what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given

from gateway.errors import InvalidRequest, ProviderError
from gateway.wire import CODECS, WIRES
from gateway.wire.canonical import (
    CacheHint,
    ChatAnswer,
    ChatRequest,
    Choice,
    Document,
    Message,
    Reasoning,
    ResponseFormat,
    Source,
    Text,
    Thinking,
    ThinkingEnd,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from gateway.wire.codec import Losses
from gateway.wire.gemini_generate import GeminiGenerateCodec

from ..canonical_strategies import Features, requests

CODEC = GeminiGenerateCodec()
HI = (Message(role="user", parts=(Text(text="Hi"),)),)


def asked(**fields: Any) -> ChatRequest:
    given: dict[str, Any] = {"dialect": "openai.chat", "model": "m", "messages": HI, **fields}
    return ChatRequest(**given)


def written(request: ChatRequest, model: str = "gemini-3.5-flash") -> dict[str, Any]:
    losses = Losses("gemini", {})
    body = json.loads(CODEC.encode_request(request, model, losses))
    losses.check()
    return body


def read(**fields: Any) -> ChatRequest:
    body = {"contents": [{"parts": [{"text": "Hi"}]}], **fields}
    return CODEC.decode_request(json.dumps(body).encode(), model="m", stream=False)


@pytest.mark.parametrize(
    ("model", "reasoning", "config"),
    [
        ("gemini-3.5-flash", Reasoning(effort="low"), {"thinkingLevel": "LOW"}),
        ("gemini-3.5-flash", Reasoning(effort="max"), {"thinkingLevel": "XHIGH"}),
        ("gemini-3.5-flash", Reasoning(effort="none"), {"thinkingBudget": 0}),
        ("gemini-2.5-pro", Reasoning(effort="medium"), {"thinkingBudget": 8192}),
        ("gemini-2.5-flash", Reasoning(effort="none"), {"thinkingBudget": 0}),
        ("gemini-3.5-flash", Reasoning(budget=2000, summary="auto"), {"thinkingBudget": 2000, "includeThoughts": True}),
        ("gemini-3.5-flash", Reasoning(budget=-1, summary="none"), {"thinkingBudget": -1, "includeThoughts": False}),
        ("gemini-3.5-flash", Reasoning(effort="low", budget=-1), {"thinkingLevel": "LOW"}),
        ("gemini-2.5-pro", Reasoning(effort="low", budget=-1), {"thinkingBudget": 1024}),
    ],
)  # fmt: skip
def test_how_much_to_think(model: str, reasoning: Reasoning, config: dict[str, Any]) -> None:
    assert written(asked(reasoning=reasoning), model)["generationConfig"] == {"thinkingConfig": config}


@pytest.mark.parametrize(
    ("reasoning", "shows"),
    [
        (Reasoning(budget=2000), True),
        (Reasoning(budget=-1, effort="low"), True),
        (Reasoning(budget=2000, summary="none"), False),
        (Reasoning(budget=0), None),
        (Reasoning(effort="low"), None),
    ],
)
def test_anthropics_clients_that_ask_for_thoughts_see_them(reasoning: Reasoning, shows: bool | None) -> None:
    request = asked(reasoning=reasoning, dialect="anthropic.messages")
    config = written(request, "gemini-3.5-flash")["generationConfig"]["thinkingConfig"]
    assert config.get("includeThoughts") is shows


def test_instructions_in_the_midst_are_moved_up() -> None:
    messages = (
        Message(role="system", parts=(Text(text="One."),)),
        *HI,
        Message(role="developer", parts=(Text(text="Two."),)),
    )
    body = written(asked(messages=messages))
    assert body["systemInstruction"] == {"parts": [{"text": "One."}, {"text": "Two."}]}
    assert [turn["role"] for turn in body["contents"]] == ["user"]


def test_instructions_alone_are_a_turn() -> None:
    body = written(asked(messages=(Message(role="system", parts=(Text(text="Go."),)),)))
    assert body == {"contents": [{"role": "user", "parts": [{"text": "Go."}]}]}


def test_calls_of_another_model_are_marked_as_unsigned() -> None:
    calls = (ToolCall(id="a", name="f", arguments=""), ToolCall(id="b", name="f", arguments="no JSON"))
    results = (
        ToolResult(id="b", content=(Text(text='{"n": 1}'),)),
        ToolResult(id="a", content=(Text(text="[1]"),), is_error=True),
    )
    messages = (*HI, Message(role="assistant", parts=calls), Message(role="tool", parts=results))
    _, model, user = written(asked(messages=messages))["contents"]
    assert model["parts"] == [
        {
            "functionCall": {"id": "a", "name": "f", "args": {}},
            "thoughtSignature": "skip_thought_signature_validator",
        },
        {"functionCall": {"id": "b", "name": "f", "args": {"input": "no JSON"}}},
    ]
    assert [part["functionResponse"] for part in user["parts"]] == [
        {"id": "b", "name": "f", "response": {"n": 1}},
        {"id": "a", "name": "f", "response": {"error": "[1]"}},
    ]
    assert "thoughtSignature" not in json.dumps(written(asked(messages=messages), "gemini-2.5-pro"))


def test_documents_and_schemas() -> None:
    document = Document(source=Source(text="Words.", media_type="text/plain"), name="a.txt", context="Old.")
    shape = ResponseFormat(type="json_schema", name="x", schema={"type": "object"}, description="A thing.")
    body = written(asked(messages=(Message(role="user", parts=(document,)),), response_format=shape))
    data = base64.b64encode(b"Words.").decode()
    assert body["contents"][0]["parts"] == [
        {"text": "Old."},
        {"inlineData": {"mimeType": "text/plain", "data": data}},
    ]
    assert body["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"description": "A thing.", "type": "object"},
    }


@pytest.mark.parametrize(
    ("choice", "strict", "config"),
    [
        (None, None, None),
        (None, True, {"mode": "VALIDATED"}),
        (ToolChoice(mode="auto"), None, {"mode": "AUTO"}),
        (ToolChoice(mode="auto", names=("f",)), None, {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        (ToolChoice(mode="required", names=("f",)), True, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice(mode="none"), True, {"mode": "NONE"}),
    ],
)
def test_which_tools(choice: ToolChoice | None, strict: bool | None, config: dict[str, Any] | None) -> None:
    body = written(asked(tools=(Tool(name="f", strict=strict),), tool_choice=choice))
    assert body.get("toolConfig") == (config and {"functionCallingConfig": config})


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"logit_bias": {"1": 2.0}}, "logit_bias"),
        ({"parallel_tool_calls": False, "tools": (Tool(name="f"),)}, "parallel_tool_calls"),
        ({"store": True}, "store"),
        ({"user": "me"}, "user"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"tools": (Tool(name="f", custom=True),)}, "tools.custom"),
        ({"extra": {"prediction": {}}}, "prediction"),
        ({"messages": (Message(role="user", parts=(Text(text="x", cache=CacheHint()),)),)}, "cache_control"),
        ({"messages": (*HI, Message(role="assistant", parts=(Thinking(text="x"),)))}, "thinking"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(asked(**fields))
    assert caught.value.param == name
    assert name in caught.value.message


def test_neutral_values_are_no_losses() -> None:
    neutral = asked(
        n=1, store=False, logprobs=False, presence_penalty=0.0, parallel_tool_calls=True, service_tier="auto"
    )
    assert written(neutral) == written(asked()) | {"generationConfig": {"candidateCount": 1}}


def test_thoughts_of_another_provider_travel_in_a_signature() -> None:
    thought = Thinking(text="Hm.", signature="c2ln", origin="anthropic.messages")
    answer = ChatAnswer(id="r", model="m", choices=(Choice(parts=(thought,), stop="stop"),))
    part = json.loads(CODEC.encode_answer(answer, asked()))["candidates"][0]["content"]["parts"][0]
    base64.b64decode(part["thoughtSignature"], validate=True)
    request = read(contents=[{"parts": [{"text": "Hi"}]}, {"role": "model", "parts": [part]}])
    assert request.messages[1].parts == (thought,)
    event = CODEC.encoder(asked()).encode([ThinkingEnd(signature="c2ln", origin="anthropic.messages")])
    assert json.loads(event[6:])["candidates"][0]["content"]["parts"][0]["thoughtSignature"]


def test_what_only_gemini_knows_is_kept_for_it_and_refused_to_others() -> None:
    part = {"executableCode": {"language": "PYTHON", "code": "1+1"}}
    turns = [{"parts": [{"text": "Hi"}]}, {"role": "model", "parts": [part]}]
    request = read(contents=turns, cachedContent="cachedContents/x", tools=[{"codeExecution": {}}])
    again = written(request)
    assert again["contents"][1]["parts"] == [part]
    assert (again["cachedContent"], again["tools"]) == ("cachedContents/x", [{"codeExecution": {}}])
    losses = Losses("openai", CODEC.names)
    CODECS["openai.chat"].encode_request(request, "gpt-x", losses)
    with pytest.raises(InvalidRequest, match="cachedContent"):
        losses.check()


BAD: list[tuple[dict[str, Any], str | None]] = [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": [{"role": "robot", "parts": [{"text": "Hi"}]}]}, "contents"),
        ({"contents": [{"parts": [{}]}]}, "contents"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents"),
        ({"contents": [{"parts": [{"text": "Hi"}]}], "generation_config": {"top_k": "many"}}, "generationConfig.topK"),
        ({"contents": [{"parts": [{"text": "Hi"}]}], "tools": [{"functionDeclarations": [{}]}]}, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "param"), BAD)
def test_bad_requests_name_the_field(body: dict[str, Any], param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        CODEC.decode_request(json.dumps(body).encode(), model="m", stream=False)
    assert caught.value.status == 400
    if param:
        assert caught.value.param == param


@given(requests(Features(dialect="gemini.generate", data_images=True, result_names=True, schemas=True)))
def test_every_chat_dialect_takes_it(request: ChatRequest) -> None:
    for codec in (CODECS["openai.chat"], CODECS["anthropic.messages"]):
        losses = Losses("other", {}, may_drop=frozenset({"*"}))
        body = codec.encode_request(request, "m", losses)
        back = codec.decode_request(body, model="m", stream=False)
        calls = [part.id for turn in back.messages for part in turn.parts if isinstance(part, ToolCall)]
        assert calls == [
            part.id for turn in request.messages for part in turn.parts if isinstance(part, ToolCall)
        ]


def test_errors_have_googles_shape() -> None:
    error = ProviderError(
        "Busy.", provider="x", status=429, code="busy", headers=[(b"retry-after", b"3")], param="model"
    )
    body = json.loads(WIRES["gemini.generate"].error(error))["error"]
    assert (body["code"], body["status"], body["message"]) == (429, "RESOURCE_EXHAUSTED", "Busy.")
    kinds = [detail["@type"].rpartition(".")[2] for detail in body["details"]]
    assert kinds == ["ErrorInfo", "BadRequest", "RetryInfo"]
    assert body["details"][2]["retryDelay"] == "3s"


def test_empty_fields_say_nothing() -> None:
    asked_for = read(safetySettings=[], cachedContent="", labels={}, toolConfig={}, future={})
    assert asked_for.extra == {}
    losses = Losses("openai", {})
    CODECS["openai.chat"].encode_request(asked_for, "m", losses)
    losses.check()
