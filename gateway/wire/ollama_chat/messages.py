"""Messages to Ollama's chat. https://github.com/ollama/ollama/blob/main/docs/api.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from gateway.errors import InvalidRequest
from gateway.wire.body import UNREADABLE
from gateway.wire.built_in import lost_name
from gateway.wire.canonical import (
    Audio,
    Document,
    Foreign,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from gateway.wire.codec import Losses


class Messages:
    """Writes the messages of one request. A message has one text; pictures and sound stand beside it as base64."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._names: dict[str, str] = {}
        """Of tools, by the ids of their calls."""

    def encode(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Write all messages, each result of a tool as a message of its own."""
        said: list[dict[str, Any]] = []
        for message in messages:
            if message.name is not None:
                self._losses.cannot("messages.name")
            if message.role == "tool":
                said += [self._result(part) for part in message.parts if isinstance(part, ToolResult)]
            else:
                role = "system" if message.role == "developer" else message.role
                said.append({"role": role, **self._content(message.parts)})
        return said

    def _content(self, parts: Iterable[Part]) -> dict[str, Any]:
        texts: list[str] = []
        thoughts: list[str] = []
        media: list[str] = []
        calls: list[dict[str, Any]] = []
        for part in parts:
            self._note_cache(part)
            match part:
                case Text() | Refusal():
                    texts.append(part.text)
                case Image() | Audio() if part.source.data is not None:
                    media.append(part.source.data)
                case Thinking() if part.text:  # its signature, if any, is for another provider
                    thoughts.append(part.text)
                case ToolCall() if not part.custom:
                    calls.append(self._call(part, len(calls)))
                case _:
                    self._losses.cannot(_lost(part))
        fields = {"thinking": "\n\n".join(thoughts), "images": media, "tool_calls": calls}
        return {"content": "\n\n".join(texts), **{name: value for name, value in fields.items() if value}}

    def _call(self, call: ToolCall, number: int) -> dict[str, Any]:
        self._names[call.id] = call.name
        try:
            arguments = msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
        except UNREADABLE:
            raise InvalidRequest(
                f"The arguments of the tool call '{call.id}' are not a JSON object, which Ollama wants them to be.",
                param="messages",
            ) from None
        function = {"index": number, "name": call.name, "arguments": arguments}
        return {"id": call.id, "function": function}

    def _result(self, result: ToolResult) -> dict[str, Any]:
        """Write what came of a tool call. Ollama has no mark for errors, so one is told in JSON."""
        self._note_cache(result)
        content = self._content(result.content)
        if result.is_error:
            content["content"] = msgspec.json.encode({"error": content["content"]}).decode()
        name = result.name or self._names.get(result.id)
        named = {"tool_name": name} if name else {}
        return {"role": "tool", **content, **named, "tool_call_id": result.id}

    def _note_cache(self, part: Part) -> None:
        if getattr(part, "cache", None) is not None:
            self._losses.cannot("cache_control")


def _lost(part: Part) -> str:
    """Name a part that Ollama cannot be sent."""
    match part:
        case Image() | Audio():  # Ollama fetches nothing: it wants the bytes themselves
            kind = type(part).__name__.lower()
            return f"messages.{kind}.url" if part.source.url is not None else f"messages.{kind}"
        case Video() | Document():
            return f"messages.{type(part).__name__.lower()}"
        case Foreign():
            return lost_name(part)
        case ToolCall():
            return "tools.custom"
        case Thinking():
            return "thinking"
        case _:
            return "messages.content"
