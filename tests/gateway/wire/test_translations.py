"""What two dialects can both say survives the way from one through the other and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from gateway.types import Dialect
from gateway.wire import CODECS
from gateway.wire.cache_hints import OPENAI
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Choice,
    Document,
    Image,
    Part,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from gateway.wire.codec import ChatCodec, Losses

from .canonical_strategies import Features, requests
from .canonical_streams import answers, gathered, streams
from .spoken import SAYS, both

PAIRS = [(there, back) for there in SAYS for back in SAYS if there != back]
OWN: Mapping[Dialect, frozenset[str]] = {
    "gemini.generate": frozenset({"metadata", "store"}),
    "openai.responses": frozenset({"store"}),
}
"""Fields that mean something of the provider's own, or of the gateway's: nobody else is told them."""
EFFORTS = frozenset({"reasoning_effort", "reasoning_budget"})
"""How much to think is said in efforts by some, in tokens by others."""
SLOWLY = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def common(there: Dialect, back: Dialect) -> Features:
    """What both can say of a request; OpenAI's older models refuse hints for caching, so only its own clients' are passed on."""
    found = both(SAYS[back], SAYS[there])
    fields = found.fields - OWN.get(there, frozenset()) - OWN.get(back, frozenset())
    caches = found.caches if {there, back} <= OPENAI else ()
    return replace(found, thinking=False, caches=caches, fields=fields - EFFORTS)


def codec(dialect: Dialect) -> ChatCodec:
    return cast("ChatCodec", CODECS[dialect])


def through(request: ChatRequest, dialect: Dialect) -> ChatRequest:
    """Write a request for a provider, and read it as a client's of the same dialect."""
    losses = Losses(dialect, {}, may_drop={"thinking"})
    body = codec(dialect).encode_request(request, request.model, losses)
    losses.check()
    return codec(dialect).decode_request(body, model=request.model, stream=False)


def content(request: ChatRequest, features: Features) -> dict[str, Any]:
    """What both say of it, without what some of them fill in for themselves."""
    kept = {name: getattr(request, name) or None for name in sorted(features.fields)}
    if "parallel_tool_calls" in kept:
        kept["parallel_tool_calls"] = request.parallel_tool_calls is not False
    choice = request.tool_choice
    if not request.tools or (choice is not None and choice.mode == "none"):
        kept.pop("parallel_tool_calls", None)  # Anthropic says it together with the choice
    shape = request.response_format
    return {
        **kept,
        "n": request.n or 1,
        "top_logprobs": (request.top_logprobs or None) if request.logprobs else None,
        "service_tier": request.service_tier,
        "tool_choice": None if choice == ToolChoice(mode="auto") else choice,
        "messages": [
            (message.role, message.name, [_said_alike(part) for part in message.parts])
            for message in request.messages
        ],
        "tools": [_tool(cast("Tool", tool), features) for tool in request.tools],
        "response_format": shape and (shape.type, shape.schema, features.schema_names and bool(shape.strict)),
    }


def _tool(tool: Tool, features: Features) -> Tool:
    return msgspec.structs.replace(tool, strict=bool(tool.strict) if features.strict else None)


def _said_alike(part: Part) -> Part:
    match part:
        case ToolCall():  # Gemini wants a signature, and is given one that says there is none
            return msgspec.structs.replace(part, signature=None)
        case ToolResult():
            return msgspec.structs.replace(part, content=tuple(map(_said_alike, part.content)))
        case Image(detail="auto"):
            return msgspec.structs.replace(part, detail=None)
        case Document():  # OpenAI wants a name
            return msgspec.structs.replace(part, name=None)
        case _:
            return part


def said(answer: ChatAnswer, features: Features) -> Any:
    """What an answer says that both can say."""
    usage = answer.usage
    assert usage is not None
    counts = [
        getattr(usage, name) for name in ("prompt_tokens", "completion_tokens", *sorted(features.usage))
    ]
    return [_choice(choice, features) for choice in answer.choices], counts, _tier(answer, features)


def _tier(answer: ChatAnswer, features: Features) -> str | None:
    return (answer.service_tier or "default") if features.served else None


def _choice(choice: Choice, features: Features) -> Any:
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    texts = [part for part in choice.parts if isinstance(part, Text)]
    return (
        "".join(part.text for part in texts),
        [(one.url, one.title, one.start, one.end) for part in texts for one in part.citations],
        [part.text for part in choice.parts if isinstance(part, Refusal)],
        [part.source.data for part in choice.parts if isinstance(part, Image)],
        [(call.id, call.name, msgspec.json.decode(call.arguments)) for call in calls],
        [(one.token, one.logprob, len(one.top)) for one in choice.logprobs or ()],
        "stop" if choice.stop == "refusal" and "refusal" not in features.stops else choice.stop,
        choice.safety if features.safety else None,
    )


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_requests_survive(there: Dialect, back: Dialect) -> None:
    features = common(there, back)

    @SLOWLY
    @given(requests(features))
    def survives(request: ChatRequest) -> None:
        limited = msgspec.structs.replace(
            request, max_tokens=request.max_tokens or 100
        )  # Anthropic wants one
        start = through(limited, back)
        assert content(through(through(start, there), back), features) == content(start, features)

    survives()


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_answers_survive(there: Dialect, back: Dialect) -> None:
    features = replace(both(SAYS[there], SAYS[back]), thinking=False)

    @SLOWLY
    @given(answers(features))
    def survives(answer: ChatAnswer) -> None:
        asked = ChatRequest(dialect=back, model="a-model", messages=())
        for dialect in (there, back):
            answer_before = answer
            written = codec(dialect).encode_answer(answer, asked)
            answer = codec(dialect).decode_answer(written)
            assert said(answer, features) == said(answer_before, features)

    survives()


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_streams_survive(there: Dialect, back: Dialect) -> None:
    features = replace(both(SAYS[there], SAYS[back]), thinking=False)
    if (there, back) == ("gemini.generate", "openai.responses"):
        # Gemini tells citations with its last word, when an item after the text has closed the message to cite.
        features = replace(features, citations=())

    @SLOWLY
    @given(streams(features))
    def survives(events: list[Any]) -> None:
        asked = ChatRequest(dialect=back, model="a-model", messages=(), stream=True, shows_usage=True)
        for dialect in (there, back):
            before = said(gathered(events), features)
            written = codec(dialect).encoder(asked).encode(events)
            decoder = codec(dialect).decoder()
            events = [*decoder.feed(written), *decoder.end()]
            assert said(gathered(events), features) == before

    survives()
