"""Messages in the canonical form, as a chat completion request says them.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from gateway.wire.built_in import lost_name
from gateway.wire.cache_hints import Mark
from gateway.wire.canonical import (
    Audio,
    Document,
    Foreign,
    Image,
    Message,
    Part,
    Refusal,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.wire.codec import Losses
from gateway.wire.file_names import usual_name
from gateway.wire.openai_chat.words import DIALECT


class MessagesWriter:
    """Writes messages; what cannot be said is told to `losses`. `mark` writes hints for caching where the service takes them."""

    def __init__(self, losses: Losses, *, mark: Mark | None) -> None:
        self._losses = losses
        self._mark = mark

    def write(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Write them all."""
        written: list[dict[str, Any]] = []
        for message in messages:
            if message.role == "tool":
                written += self._results(message)
                continue
            if message.role == "assistant":
                fields = self._assistant(message)
            else:
                fields = {"role": message.role, "content": self._content(message.parts)}
            if message.name is not None:
                fields["name"] = message.name
            written.append(fields)
        return written

    def _content(self, parts: Sequence[Part]) -> str | list[dict[str, Any]]:
        """Write a single text as a string, which every service takes, and all else as parts."""
        if len(parts) == 1 and isinstance(parts[0], Text) and not (self._mark and parts[0].cache):
            self._hint(parts[0])
            return parts[0].text
        return [fields for part in parts if (fields := self._part(part)) is not None]

    def _part(self, part: Part) -> dict[str, Any] | None:
        fields = self._plain(part)
        if (
            self._mark is not None
            and fields is not None
            and isinstance(part, Text | Image | Audio | Document)
            and part.cache
        ):
            return self._mark(fields, part.cache)
        self._hint(part)
        return fields

    def _plain(self, part: Part) -> dict[str, Any] | None:
        match part:
            case Text():
                return {"type": "text", "text": part.text}
            case Refusal():
                return {"type": "refusal", "refusal": part.text}
            case Foreign() if part.dialect == DIALECT:
                return part.value
            case Image() | Audio() | Document():
                return self._medium(part)
            case Thinking():
                self._losses.cannot("thinking")
            case _:
                kind = f"messages.{type(part).__name__.lower()}"
                self._losses.cannot(lost_name(part) if isinstance(part, Foreign) else kind)
        return None

    def _medium(self, part: Image | Audio | Document) -> dict[str, Any] | None:
        if isinstance(part, Image):
            return self._image(part)
        return self._audio(part) if isinstance(part, Audio) else self._document(part)

    def _image(self, image: Image) -> dict[str, Any] | None:
        address = _address(image.source)
        if address is None:
            self._losses.cannot("messages.image")
            return None
        detail = {} if image.detail is None else {"detail": image.detail}
        return {"type": "image_url", "image_url": {"url": address, **detail}}

    def _audio(self, audio: Audio) -> dict[str, Any] | None:
        source = audio.source
        if source.data is None:
            self._losses.cannot("messages.audio")
            return None
        kind = (source.media_type or "audio/wav").rpartition("/")[2].removeprefix("x-")
        form = "mp3" if kind == "mpeg" else kind
        return {"type": "input_audio", "input_audio": {"data": source.data, "format": form}}

    def _document(self, document: Document) -> dict[str, Any] | None:
        """Write a document as a file; one of plain text as text, under its title."""
        source = document.source
        if document.citations:
            self._losses.cannot("citations")
        if source.text is not None:
            lines = [line for line in (document.name, document.context, source.text) if line]
            return {"type": "text", "text": "\n".join(lines)}
        if document.context is not None:
            self._losses.cannot("messages.document.context")
        if source.file is not None:
            return {"type": "file", "file": {"file_id": source.file}}
        if source.data is None:
            self._losses.cannot("messages.document")
            return None
        kind = source.media_type or "application/pdf"
        name = document.name or usual_name(kind)
        return {"type": "file", "file": {"filename": name, "file_data": f"data:{kind};base64,{source.data}"}}

    def _assistant(self, message: Message) -> dict[str, Any]:
        fields: dict[str, Any] = {"role": "assistant"}
        content: list[Part] = []
        calls: list[dict[str, Any]] = []
        thoughts: list[str] = []
        for part in message.parts:
            match part:
                case ToolCall():
                    calls.append(self._call(part))
                case Thinking():
                    if part.origin in {None, DIALECT} and part.text:
                        thoughts.append(part.text)
                    else:
                        self._losses.cannot("thinking")
                case Audio(id=str()):
                    fields["audio"] = {"id": part.id}
                case _:
                    content.append(part)
        written = self._content(content) or None
        if isinstance(written, list) and all(item["type"] == "refusal" for item in written):
            fields["refusal"] = "".join(item["refusal"] for item in written)
            written = None
        fields["content"] = written
        if thoughts:
            fields["reasoning_content"] = "\n".join(thoughts)
        if calls:
            fields["tool_calls"] = calls
        return fields

    def _call(self, call: ToolCall) -> dict[str, Any]:
        self._hint(call)
        if call.custom:
            return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
        function = {"name": call.name, "arguments": call.arguments}
        return {"id": call.id, "type": "function", "function": function}

    def _results(self, message: Message) -> list[dict[str, Any]]:
        """Write a message for each result; what is no text follows as the user's, for only the user may show pictures."""
        written: list[dict[str, Any]] = []
        shown: list[dict[str, Any]] = []
        for result in message.parts:
            assert isinstance(result, ToolResult), "tool messages hold results only"
            texts = self._hinted(result)
            others = [part for part in result.content if not isinstance(part, Text)]
            content = self._content(texts) or ""
            if others:
                shown.append({"type": "text", "text": f"Shown by the tool call {result.id}:"})
                shown += [fields for part in others if (fields := self._part(part)) is not None]
                content = content or "What it returned is in the next message of the user."
            if result.is_error:
                content = _marked(content)
            written.append({"role": "tool", "tool_call_id": result.id, "content": content})
        if shown:
            written.append({"role": "user", "content": shown})
        return written

    def _hinted(self, result: ToolResult) -> tuple[Text, ...]:
        """Return the texts of a result; its hint for caching goes to the last of them, where the service takes such."""
        texts = tuple(part for part in result.content if isinstance(part, Text))
        if self._mark is None or result.cache is None or not texts:
            self._hint(result)
            return texts
        return (*texts[:-1], replace(texts[-1], cache=texts[-1].cache or result.cache))

    def _hint(self, part: Part) -> None:
        """Tell what belongs to other providers: hints for caching, and Gemini's signatures of thoughts."""
        if getattr(part, "cache", None) is not None:
            self._losses.cannot("cache_control")
        if getattr(part, "signature", None) is not None:
            self._losses.cannot("thinking")


def _address(source: Source) -> str | None:
    if source.data is not None:
        return f"data:{source.media_type or 'image/png'};base64,{source.data}"
    if source.url is not None and source.url.startswith(("http:", "https:")):
        return source.url
    return None


def _marked(content: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Say in words that a tool has failed: the dialect has no field for it."""
    if isinstance(content, str):
        return f"Error: {content}" if content else "Error"
    return [{"type": "text", "text": "Error:"}, *content]
