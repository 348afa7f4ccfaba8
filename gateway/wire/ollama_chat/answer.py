"""Answers of Ollama's chat: a stream is a line of JSON after another, and a whole answer is shaped like one line.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.types import Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    ChatAnswer,
    Choice,
    Part,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
)
from gateway.wire.dialect import StreamFailed, WireError

NO_ARGUMENTS = Raw(b"{}")


class Function(Struct):
    """The function of a tool call."""

    name: str
    arguments: Raw = NO_ARGUMENTS


class Call(Struct):
    """A tool call, always whole; older servers give it no id."""

    function: Function
    id: str | None = None


class Said(Struct, gc=False):
    """What the model said."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[Call] | None = None


class Likely(Struct):
    """A token and how likely it was."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[Likely] | None = None


class Line(Struct):
    """A whole answer, or one line of a stream."""

    model: str = ""
    created_at: str = ""
    message: Said | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: list[Likely] | None = None
    error: Any = None
    status: int | None = None


_decode = msgspec.json.Decoder(Line).decode


def read(line: bytes) -> Line:
    """Read a line. Raises `WireError` when it is none of Ollama's, `StreamFailed` when it tells an error."""
    try:
        found = _decode(line)
    except UNREADABLE as error:
        raise WireError(f"a line of the answer is not one of Ollama's: {error}") from None
    if found.error is not None:
        raise StreamFailed(str(found.error), type=None, code=None, status=found.status)
    return found


def decode_answer(body: bytes) -> ChatAnswer:
    """Read a whole answer."""
    line = read(body)
    if line.message is None or not line.done:
        raise WireError("the answer holds no message, or is not done")
    choice = Choice(
        parts=tuple(_parts(line, line.message)),
        stop=stop(line, calls=bool(line.message.tool_calls)),
        logprobs=None if line.logprobs is None else logprobs(line.logprobs),
    )
    return ChatAnswer(
        id=identity(line), model=line.model, choices=(choice,), created=created(line), usage=usage(line)
    )


def _parts(line: Line, message: Said) -> list[Part]:
    parts: list[Part] = []
    if message.thinking:
        parts.append(Thinking(text=message.thinking))
    if message.content:
        parts.append(Text(text=message.content))
    for number, call in enumerate(message.tool_calls or ()):
        arguments = bytes(call.function.arguments).decode()
        parts.append(ToolCall(id=call_id(line, call, number), name=call.function.name, arguments=arguments))
    return parts


def identity(line: Line) -> str:
    """Make an id for an answer, which Ollama does not: from the time it began."""
    return f"ollama-{_digits(line)}"


def call_id(first: Line, call: Call, number: int) -> str:
    """Return the id of a tool call; for a server that gives none, one made from the time the answer began."""
    return call.id or f"call_{_digits(first)}_{number}"


def created(line: Line) -> int:
    """Return when the answer began, in Unix seconds; 0 when that cannot be read."""
    try:
        return int(datetime.fromisoformat(line.created_at).timestamp())
    except (ValueError, OverflowError):
        return 0


def stop(line: Line, *, calls: bool) -> StopReason:
    """Tell why the answer ended."""
    if line.done_reason == "length":
        return "length"
    return "tool_calls" if calls else "stop"


def usage(line: Line) -> Usage | None:
    """Return the tokens; a prompt that was cached whole is not counted by older servers."""
    if line.prompt_eval_count is None and line.eval_count is None:
        return None
    return Usage(prompt_tokens=line.prompt_eval_count or 0, completion_tokens=line.eval_count or 0)


def logprobs(tokens: list[Likely]) -> tuple[TokenLogprob, ...]:
    """Turn tokens into the canonical form."""
    return tuple(
        TokenLogprob(
            token=token.token,
            logprob=token.logprob,
            bytes=None if token.bytes is None else tuple(token.bytes),
            top=logprobs(token.top_logprobs or []),
        )
        for token in tokens
    )


def _digits(line: Line) -> str:
    return "".join(filter(str.isdigit, line.created_at))
