"""Messages to Cohere's chat. https://docs.cohere.com/v2/reference/chat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.types import Dialect
from gateway.wire.built_in import lost_name
from gateway.wire.canonical import (
    Audio,
    Citation,
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

DIALECT: Final[Dialect] = "cohere.chat"
PLAN: Final = "tool_plan"
"""Id of thoughts that Cohere calls a tool plan."""
DOCUMENT_ID: Final = "doc:"
"""What ids of documents begin with; their position follows. Cohere names documents without an id the same way."""


class Messages:
    """Writes the messages of one request."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self.documents: list[dict[str, Any]] = []
        """Documents that stood in the messages: Cohere wants them beside the messages."""
        self.cites = False
        """Whether the answer is to cite one of them."""

    def encode(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Write all messages: instructions first, for Cohere takes them nowhere else."""
        said: list[dict[str, Any]] = []
        instructions: list[dict[str, Any]] = []
        for message in messages:
            if message.name is not None:
                self._losses.cannot("messages.name")
            match message.role:
                case "system" | "developer":
                    instructions += self._blocks(message.parts)
                case "user":
                    said.append({"role": "user", "content": _content(self._blocks(message.parts))})
                case "assistant":
                    said.append(self._assistant(message))
                case "tool":
                    said += [self._result(part) for part in message.parts if isinstance(part, ToolResult)]
        if instructions:
            return [{"role": "system", "content": _content(instructions)}, *said]
        return said

    def _blocks(self, parts: Iterable[Part]) -> list[dict[str, Any]]:
        return [block for part in parts for block in self._block(part)]

    def _block(self, part: Part) -> list[dict[str, Any]]:
        """Write a part of a message by the user or the system; a document goes elsewhere."""
        self._note_cache(part)
        match part:
            case Text() | Refusal():
                return [_text(part.text)]
            case Image():
                return self._image(part)
            case Document():
                fields = self._document(part)
                if fields is not None:
                    self.cites = self.cites or part.citations
                    self.documents.append({"id": f"{DOCUMENT_ID}{len(self.documents)}", "data": fields})
            case _:
                self._losses.cannot(_name(part))
        return []

    def _image(self, image: Image) -> list[dict[str, Any]]:
        source = image.source
        if source.data is not None:
            url = f"data:{source.media_type or 'image/png'};base64,{source.data}"
        elif source.url is not None:
            url = source.url
        else:
            self._losses.cannot("messages.image")
            return []
        detail = {"detail": image.detail} if image.detail is not None else {}
        return [{"type": "image_url", "image_url": {"url": url, **detail}}]

    def _document(self, document: Document) -> dict[str, Any] | None:
        """Return a document's fields; None when it is no plain text."""
        text = document.source.text
        if text is None:
            self._losses.cannot("messages.document")
            return None
        fields = {"title": document.name, "context": document.context, "text": text}
        return {name: value for name, value in fields.items() if value is not None}

    def _assistant(self, message: Message) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        citations: list[dict[str, Any]] = []
        plan = ""
        for part in message.parts:
            match part:
                case ToolCall():
                    calls += self._call(part)
                case Thinking() if part.id == PLAN and part.origin == DIALECT:
                    plan += part.text
                case Thinking():
                    if part.text:  # its signature, if any, is for another provider
                        content.append({"type": "thinking", "thinking": part.text})
                    else:
                        self._losses.cannot("thinking")
                case Text() | Refusal():
                    if isinstance(part, Text):
                        citations += [_citation(one, len(content)) for one in part.citations]
                    content += self._block(part)
                case _:
                    self._losses.cannot(_name(part))
        fields = {
            "content": _content(content),
            "tool_plan": plan,
            "tool_calls": calls,
            "citations": citations,
        }
        return {"role": "assistant", **{name: value for name, value in fields.items() if value}}

    def _call(self, call: ToolCall) -> list[dict[str, Any]]:
        self._note_cache(call)
        if call.custom:
            self._losses.cannot("tools.custom")
            return []
        function = {"name": call.name, "arguments": call.arguments or "{}"}
        return [{"id": call.id, "type": "function", "function": function}]

    def _result(self, result: ToolResult) -> dict[str, Any]:
        """Write what came of a tool call. Cohere has no mark for errors, so one becomes a document that says so."""
        self._note_cache(result)
        blocks: list[dict[str, Any]] = []
        for part in result.content:
            match part:
                case Text() if result.is_error:
                    blocks.append({"type": "document", "document": {"data": {"error": part.text}}})
                case Document():
                    fields = self._document(part)
                    if fields is not None:
                        blocks.append({"type": "document", "document": {"data": fields}})
                case Text():
                    blocks += self._block(part)
                case _:
                    self._losses.cannot(_name(part))
        return {"role": "tool", "tool_call_id": result.id, "content": _content(blocks)}

    def _note_cache(self, part: Part) -> None:
        if getattr(part, "cache", None) is not None:
            self._losses.cannot("cache_control")


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _content(blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Write a single text as itself."""
    if not blocks:
        return ""
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0]["type"] == "text" else blocks


def _citation(citation: Citation, block: int) -> dict[str, Any]:
    fields = {"title": citation.title, "url": citation.url, "snippet": citation.cited}
    source: dict[str, Any] = {
        "type": "document",
        "document": {name: value for name, value in fields.items() if value is not None},
    }
    if citation.document is not None:
        source["id"] = f"{DOCUMENT_ID}{citation.document}"
    said: dict[str, Any] = {"content_index": block, "sources": [source]}
    if citation.start is not None and citation.end is not None:
        said |= {"start": citation.start, "end": citation.end}
    return said


def _name(part: Part) -> str:
    match part:
        case Audio() | Video() | Image() | Document():
            return f"messages.{type(part).__name__.lower()}"
        case Foreign():
            return lost_name(part)
        case ToolCall():
            return "messages.tool_calls"
        case ToolResult():
            return "messages.tool_results"
        case Thinking():
            return "messages.thinking"
        case _:
            return "messages.text"
