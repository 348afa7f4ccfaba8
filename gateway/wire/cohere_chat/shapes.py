"""What Cohere's chat answers with, as far as it is read. https://docs.cohere.com/v2/reference/chat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.types import Usage
from gateway.wire.canonical import Citation, StopReason, TokenLogprob
from gateway.wire.cohere_chat.messages import DOCUMENT_ID

FAILED: Final[Mapping[str, str]] = {
    "ERROR": "the provider could not finish its answer",
    "TIMEOUT": "the provider took too long for its answer",
}
"""Finish reasons of answers that are none, and what they mean."""

STOPS: Final[Mapping[str, StopReason]] = {
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_LIMIT": "context",
    "ERROR_TOXIC": "content_filter",
}
"""Finish reasons other than `COMPLETE`."""


class Source(Struct):
    """Where a citation comes from: a document, or what a tool said."""

    id: str | None = None
    document: Any = None
    tool_output: Any = None


class Cited(Struct):
    """A citation; `start` and `end` count characters of one block of the content."""

    start: int | None = None
    end: int | None = None
    sources: list[Source] | None = None
    content_index: int | None = None
    type: str | None = None


class Function(Struct):
    """The function of a tool call."""

    name: str | None = None
    arguments: str | None = None


class Call(Struct):
    """A tool call."""

    id: str | None = None
    function: Function | None = None


class Logprobs(Struct):
    """How likely a piece of text was, token by token."""

    text: str | None = None
    logprobs: list[float] | None = None


class Tokens(Struct):
    """Numbers of tokens, which Cohere sends as floats."""

    input_tokens: float | None = None
    output_tokens: float | None = None
    search_units: float | None = None


class Counted(Struct):
    """What an answer used: `tokens` went through the model, `billed_units` are on the bill."""

    tokens: Tokens | None = None
    billed_units: Tokens | None = None
    cached_tokens: float | None = None


def usage(counted: Counted | None) -> Usage | None:
    """Return the tokens that Cohere bills, as the ledger prices them; those that went through the model where it names no others."""
    if counted is None:
        return None
    billed = counted.billed_units
    tokens = billed if billed is not None and billed.input_tokens is not None else counted.tokens
    if tokens is None or tokens.input_tokens is None:
        return None
    searches = billed.search_units if billed else None
    prompt = int(tokens.input_tokens)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=int(tokens.output_tokens or 0),
        cached_read_tokens=min(int(counted.cached_tokens or 0), prompt),
        searches=int(searches or 0),
    )


def citations(cited: Cited) -> Iterator[Citation]:
    """Yield one citation for each source."""
    for source in cited.sources or ():
        document: Any = source.document
        fields = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
        words = fields.get("snippet") or fields.get("text") or fields.get("data")
        if source.tool_output is not None:
            words = msgspec.json.encode(source.tool_output).decode()
        title = fields.get("title")
        url = fields.get("url")
        yield Citation(
            url=url if isinstance(url, str) else None,
            title=title if isinstance(title, str) else source.id,
            cited=words if isinstance(words, str) else None,
            start=cited.start,
            end=cited.end,
            document=_position(source.id),
        )


def logprob(piece: Logprobs) -> TokenLogprob | None:
    """Join the tokens of a piece of text, which Cohere does not tell apart: their likelihood is the product."""
    if piece.text is None or not piece.logprobs:
        return None
    return TokenLogprob(token=piece.text, logprob=sum(piece.logprobs), bytes=tuple(piece.text.encode()))


def _position(id: str | None) -> int | None:
    number = id.removeprefix(DOCUMENT_ID) if id and id.startswith(DOCUMENT_ID) else ""
    return int(number) if number.isascii() and number.isdigit() else None
