"""What Anthropic and OpenAI can both say survives the way through OpenAI's chat completions and back."""

from __future__ import annotations

import msgspec
from hypothesis import HealthCheck, given, settings

from gateway.wire.anthropic_messages import AnthropicMessagesCodec
from gateway.wire.canonical import ChatAnswer, ChatRequest, Document, Event, Part, ResponseFormat
from gateway.wire.codec import Codec, Losses
from gateway.wire.openai_chat import OpenAIChatCodec

from ..canonical_strategies import Features, requests
from ..canonical_streams import answers, gathered, streams

ANTHROPIC, OPENAI = AnthropicMessagesCodec(), OpenAIChatCodec()
BOTH_SAY = Features(
    dialect="anthropic.messages",
    data_images=True,
    url_images=True,
    documents=("application/pdf",),
    document_names=True,
    schemas=True,
    fields=frozenset({"max_tokens", "temperature", "top_p", "stop", "user"}),
    stops=("stop", "length"),
)
SLOWLY = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def through(codec: Codec[ChatRequest, ChatAnswer], request: ChatRequest) -> ChatRequest:
    losses = Losses("provider", codec.names)
    body = codec.encode_request(request, request.model, losses)
    losses.check()
    return codec.decode_request(body, model=request.model, stream=request.stream)


def normal(request: ChatRequest) -> ChatRequest:
    """Fill in what one of them demands, and leave out what Anthropic has no name for."""
    shape = request.response_format
    messages = tuple(
        msgspec.structs.replace(message, parts=tuple(map(_normal, message.parts)))
        for message in request.messages
    )
    return msgspec.structs.replace(
        request,
        messages=messages,
        max_tokens=request.max_tokens or 4_096,
        response_format=shape and ResponseFormat(type="json_schema", schema=shape.schema),
    )


def _normal(part: Part) -> Part:
    """A file must have a name on OpenAI's side."""
    if isinstance(part, Document) and part.name is None:
        return msgspec.structs.replace(part, name="document.pdf")
    return part


@SLOWLY
@given(requests(BOTH_SAY))
def test_requests(request: ChatRequest) -> None:
    assert through(ANTHROPIC, through(OPENAI, request)) == normal(request)


@SLOWLY
@given(answers(BOTH_SAY), requests(BOTH_SAY))
def test_answers(answer: ChatAnswer, request: ChatRequest) -> None:
    there = OPENAI.decode_answer(OPENAI.encode_answer(answer, request))
    again = ANTHROPIC.decode_answer(ANTHROPIC.encode_answer(there, request))
    assert again == msgspec.structs.replace(answer, created=0)


@SLOWLY
@given(streams(BOTH_SAY))
def test_streams(events: list[Event]) -> None:
    request = ChatRequest(dialect="anthropic.messages", model="m", messages=())
    decoder, again = OPENAI.decoder(), ANTHROPIC.decoder()
    there = [*decoder.feed(OPENAI.encoder(request).encode(events))]
    there += decoder.end()
    back = [*again.feed(ANTHROPIC.encoder(request).encode(there))]
    back += again.end()
    assert gathered(back) == msgspec.structs.replace(gathered(events), created=0)
