"""Decides what the mock answers: text, a structured value, or tool calls."""

from __future__ import annotations

import re
from itertools import cycle, islice
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway_mock.request import ChatRequest, Function
from gateway_mock.schema import instance
from gateway_mock.script import Script

_LOREM = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore "
    "magna aliqua ut enim ad minim veniam quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo"
)
_THOUGHT = "The user said something, and I shall answer it."
_PIECE = re.compile(r"\s*\S{1,12}|\s+$")


class ToolCall(Struct, frozen=True):
    id: str
    name: str
    arguments: str
    """A JSON object as text."""


class Reply(Struct, frozen=True, kw_only=True):
    """What one choice says. Every piece counts as one token and is streamed as one chunk."""

    pieces: list[str]
    reasoning: list[str]
    calls: list[ToolCall]
    finish_reason: Literal["stop", "length", "tool_calls"]

    def tokens(self) -> int:
        return len(self.pieces) + len(self.reasoning) + sum(len(cut(call.arguments)) for call in self.calls)


def cut(text: str) -> list[str]:
    """Cut a text into pieces of about a word, which joined give the text again."""
    return _PIECE.findall(text)


def filler(words: int) -> str:
    """Make a text of so many words, always the same."""
    return " ".join(islice(cycle(_LOREM.split()), words))


def decide(request: ChatRequest, script: Script, message: str, model: str, fingerprint: str) -> Reply:
    """Decide from the request, the script, and the last user message without its directives."""
    reasoning = cut(_THOUGHT) if "reason" in model else []
    functions = _called(request, script, message)
    if functions:
        calls = [_call(function, f"call_{fingerprint[:20]}{i:04}") for i, function in enumerate(functions)]
        return Reply(pieces=[], reasoning=reasoning, calls=calls, finish_reason="tool_calls")
    pieces = cut(_text(request, script, message))
    limit = request.max_completion_tokens or request.max_tokens
    if limit is not None and len(pieces) > limit:
        return Reply(pieces=pieces[:limit], reasoning=reasoning, calls=[], finish_reason="length")
    return Reply(pieces=pieces, reasoning=reasoning, calls=[], finish_reason="stop")


def _text(request: ChatRequest, script: Script, message: str) -> str:
    if script.text is not None:
        return script.text
    form = request.response_format or {}
    if form.get("type") == "json_schema":
        return msgspec.json.encode(instance(form.get("json_schema", {}).get("schema", {}))).decode()
    if form.get("type") == "json_object":
        return msgspec.json.encode({"answer": message}).decode()
    if script.chunks is not None:
        return filler(script.chunks)
    return message or "Hello from the mock provider."


def _called(request: ChatRequest, script: Script, message: str) -> list[Function]:
    """Choose the functions to call, as `tool_choice` allows.

    Under "auto" a user's message is answered with calls of the tools that it names, or of the first one; the results
    of tools are answered with text.
    """
    functions = [tool.function for tool in request.tools or () if tool.function is not None]
    if not functions:
        return []
    choice = request.tool_choice
    if isinstance(choice, dict):
        name = cast("dict[str, Any]", choice).get("function", {}).get("name")
        chosen = [function for function in functions if function.name == name]
        if not chosen:
            raise InvalidRequest(f"Tool choice {name!r} is not among the tools.", param="tool_choice")
        return chosen
    answers_tool = choice != "required" and request.messages[-1].role == "tool"
    if choice == "none" or answers_tool:
        return []
    if script.tools:
        known = {function.name: function for function in functions}
        chosen = [known.get(name) or Function(name) for name in script.tools]
    else:
        chosen = [function for function in functions if function.name in message] or functions[:1]
    return chosen[:1] if request.parallel_tool_calls is False else chosen


def _call(function: Function, id: str) -> ToolCall:
    arguments = instance({"type": "object", **(function.parameters or {})})
    return ToolCall(id, function.name, msgspec.json.encode(arguments).decode())
