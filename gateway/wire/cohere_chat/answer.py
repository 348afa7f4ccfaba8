"""Whole answers of Cohere's chat. https://docs.cohere.com/v2/reference/chat."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import ChatAnswer, Choice, Citation, Part, Text, Thinking, ToolCall
from gateway.wire.cohere_chat import shapes
from gateway.wire.cohere_chat.messages import DIALECT, PLAN
from gateway.wire.dialect import WireError


class _Block(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None


class _Message(Struct):
    content: list[_Block] | None = None
    tool_plan: str | None = None
    tool_calls: list[shapes.Call] | None = None
    citations: list[shapes.Cited] | None = None


class _Answer(Struct):
    message: _Message
    id: str = ""
    finish_reason: str = "COMPLETE"
    usage: shapes.Counted | None = None
    logprobs: list[shapes.Logprobs] | None = None


_decode = msgspec.json.Decoder(_Answer).decode


def decode_answer(body: bytes) -> ChatAnswer:
    """Read an answer. Raises `WireError` when it is none, or Cohere says that it failed."""
    try:
        answer = _decode(body)
    except UNREADABLE as error:
        raise WireError(f"the answer is not one of Cohere's chat: {error}") from None
    if answer.finish_reason in shapes.FAILED:
        raise WireError(shapes.FAILED[answer.finish_reason])
    likely = [found for piece in answer.logprobs or () if (found := shapes.logprob(piece))]
    choice = Choice(
        parts=tuple(_parts(answer.message)),
        stop=shapes.STOPS.get(answer.finish_reason, "stop"),
        logprobs=tuple(likely) if answer.logprobs is not None else None,
    )
    return ChatAnswer(id=answer.id, model="", choices=(choice,), usage=shapes.usage(answer.usage))


def _parts(message: _Message) -> list[Part]:
    cited = _cited(message)
    parts: list[Part] = []
    if message.tool_plan:
        parts.append(Thinking(text=message.tool_plan, id=PLAN, origin=DIALECT))
    for index, block in enumerate(message.content or ()):
        if block.thinking:
            parts.append(Thinking(text=block.thinking))
        elif block.text:
            parts.append(Text(text=block.text, citations=tuple(cited.get(index, ()))))
    for number, call in enumerate(message.tool_calls or ()):
        function = call.function or shapes.Function()
        if not function.name:
            raise WireError("a tool call has no name")
        arguments = function.arguments or "{}"
        parts.append(ToolCall(id=call.id or f"call_{number}", name=function.name, arguments=arguments))
    return parts


def _cited(message: _Message) -> dict[int, list[Citation]]:
    """Sort citations by block; those of thoughts and plans have no place. One without a number is of the first text."""
    blocks = message.content or []
    first = next((index for index, block in enumerate(blocks) if block.text is not None), 0)
    found: dict[int, list[Citation]] = {}
    for cited in message.citations or ():
        if cited.type in {None, "TEXT_CONTENT"}:
            block = first if cited.content_index is None else cited.content_index
            found.setdefault(block, []).extend(shapes.citations(cited))
    return found
