"""What two dialects can both say survives the way from one through the other and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from gateway.types import Dialect
from gateway.wire import CODECS
from gateway.wire.canonical import ChatAnswer, ChatRequest, Image, Part, Text, Tool, ToolCall
from gateway.wire.codec import ChatCodec, Losses

from .canonical_strategies import Features, requests
from .canonical_streams import answers, gathered, streams

CLIENTS: tuple[Dialect, ...] = ("openai.chat", "anthropic.messages", "gemini.generate", "openai.responses")
PAIRS = [(there, back) for there in CLIENTS for back in CLIENTS if there != back]
COMMON = Features(
    dialect="openai.chat",
    data_images=True,
    result_names=True,
    fields=frozenset({"max_tokens", "temperature", "top_p"}),
)
KEPT = ("messages", "tools", "tool_choice", "max_tokens", "temperature", "top_p")
SLOWLY = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def codec(dialect: Dialect) -> ChatCodec:
    return cast("ChatCodec", CODECS[dialect])


def through(request: ChatRequest, dialect: Dialect) -> ChatRequest:
    """Write a request for a provider, and read it as a client's of the same dialect."""
    losses = Losses(dialect, {}, may_drop={"thinking"})
    body = codec(dialect).encode_request(request, request.model, losses)
    losses.check()
    return codec(dialect).decode_request(body, model=request.model, stream=False)


def content(request: ChatRequest) -> dict[str, Any]:
    """What both say of it, without what some of them fill in for themselves."""
    kept = {name: getattr(request, name) for name in KEPT}
    tools = [msgspec.structs.replace(cast("Tool", tool), strict=None) for tool in request.tools]
    messages = [(message.role, list(map(_said_alike, message.parts))) for message in request.messages]
    return {**kept, "messages": messages, "tools": tools}


def _said_alike(part: Part) -> Part:
    match part:
        case ToolCall():  # Gemini wants a signature, and is given one that says there is none
            return msgspec.structs.replace(part, signature=None)
        case Image(detail="auto"):
            return msgspec.structs.replace(part, detail=None)
        case _:
            return part


def said(answer: ChatAnswer) -> Any:
    """The texts and the calls of an answer, how it ended, and what it used."""
    usage = answer.usage
    assert usage is not None
    choices = [
        (
            "".join(part.text for part in choice.parts if isinstance(part, Text)),
            [
                (call.id, call.name, msgspec.json.decode(call.arguments))
                for call in choice.parts
                if isinstance(call, ToolCall)
            ],
            choice.stop,
        )
        for choice in answer.choices
    ]
    return choices, usage.prompt_tokens, usage.completion_tokens, usage.cached_read_tokens


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_requests_survive(there: Dialect, back: Dialect) -> None:
    @SLOWLY
    @given(requests(replace(COMMON, dialect=back)))
    def survives(request: ChatRequest) -> None:
        limited = msgspec.structs.replace(
            request, max_tokens=request.max_tokens or 100
        )  # Anthropic wants one
        start = through(limited, back)
        assert content(through(through(start, there), back)) == content(start)

    survives()


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_answers_survive(there: Dialect, back: Dialect) -> None:
    @SLOWLY
    @given(answers(COMMON))
    def survives(answer: ChatAnswer) -> None:
        asked = ChatRequest(dialect=back, model="a-model", messages=())
        for dialect in (there, back):
            answer_before = answer
            written = codec(dialect).encode_answer(answer, asked)
            answer = codec(dialect).decode_answer(written)
            assert said(answer) == said(answer_before)

    survives()


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_streams_survive(there: Dialect, back: Dialect) -> None:
    @SLOWLY
    @given(streams(COMMON))
    def survives(events: list[Any]) -> None:
        asked = ChatRequest(dialect=back, model="a-model", messages=(), stream=True)
        for dialect in (there, back):
            before = said(gathered(events))
            written = codec(dialect).encoder(asked).encode(events)
            decoder = codec(dialect).decoder()
            events = [*decoder.feed(written), *decoder.end()]
            assert said(gathered(events)) == before

    survives()
