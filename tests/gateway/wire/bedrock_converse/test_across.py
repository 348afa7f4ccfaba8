"""OpenAI's clients over Converse: what both can say survives the way there and back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.wire.bedrock_converse import BedrockConverse
from gateway.wire.canonical import ChatAnswer, ChatRequest, Event, Message, Text, Tool
from gateway.wire.codec import Losses
from gateway.wire.openai_chat import OpenAIChatCodec

from ..canonical_strategies import Features, requests
from ..canonical_streams import answers, gathered, packets, streams

CONVERSE, OPENAI = BedrockConverse(), OpenAIChatCodec()
BOTH = Features(
    dialect="openai.chat",
    data_images=True,
    strict=True,
    schemas=True,
    schema_names=True,
    fields=frozenset({"max_tokens", "temperature", "top_p", "stop"}),
    stops=("stop", "length", "content_filter"),
    usage=frozenset({"cached_read_tokens"}),
)
ASKED = ChatRequest(
    dialect="openai.chat", model="m", messages=(Message(role="user", parts=(Text(text="Hi"),)),)
)


def as_openai(request: ChatRequest) -> Any:
    losses = Losses("openai", {})
    body = OPENAI.encode_request(msgspec.structs.replace(request, dialect="openai.chat"), "m", losses)
    losses.check()
    return json.loads(body)


def normal(request: ChatRequest) -> ChatRequest:
    """Leave out what Converse has no word for, as it means nothing or is said by leaving something out."""
    choice = request.tool_choice
    forbidden = choice is not None and choice.mode == "none"
    tools = tuple(
        msgspec.structs.replace(tool, strict=tool.strict or None) if isinstance(tool, Tool) else tool
        for tool in request.tools
    )
    shape = request.response_format
    return msgspec.structs.replace(
        request,
        tools=() if forbidden else tools,
        tool_choice=None if forbidden or not tools else choice,
        response_format=None if shape is None else msgspec.structs.replace(shape, strict=None),
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests(BOTH))
def test_requests(request: ChatRequest) -> None:
    choice = request.tool_choice
    if choice is not None and choice.mode == "none" and any(one.role == "tool" for one in request.messages):
        return  # refused
    losses = Losses("aws", {})
    body = CONVERSE.encode_request(request, "m", losses)
    losses.check()
    back = CONVERSE.decode_request(body, model="m", stream=False)
    assert as_openai(back) == as_openai(normal(request))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answers(BOTH))
def test_answers(answer: ChatAnswer) -> None:
    answer = CONVERSE.decode_answer(CONVERSE.encode_answer(answer, ASKED))
    shown = OPENAI.decode_answer(OPENAI.encode_answer(answer, ASKED))
    assert (shown.choices, shown.usage) == (answer.choices, answer.usage)
    assert shown.model == "m"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(streams(BOTH), st.data())
def test_streams(events: list[Event], data: st.DataObject) -> None:
    from_bedrock, to_client, client = CONVERSE.decoder(), OPENAI.encoder(ASKED), OPENAI.decoder()
    shown: list[Event] = []
    for packet in data.draw(packets(CONVERSE.encoder(ASKED).encode(events))):
        shown += client.feed(to_client.encode(from_bedrock.feed(packet)))
    shown += client.feed(to_client.encode(from_bedrock.end()))
    shown += client.end()
    assert client.failure is None
    answer, expected = gathered(shown), gathered(events)
    assert (answer.choices, answer.usage) == (expected.choices, expected.usage)
