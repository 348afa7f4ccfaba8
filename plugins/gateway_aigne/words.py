"""The hub's own names of fields in bodies that are OpenAI's otherwise; what is OpenAI's already passes untouched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from gateway.doors import Visit

_NAMES: Final[Mapping[str, str]] = {
    "frequencyPenalty": "frequency_penalty",
    "maxTokens": "max_tokens",
    "parallelToolCalls": "parallel_tool_calls",
    "presencePenalty": "presence_penalty",
    "reasoningEffort": "reasoning_effort",
    "responseFormat": "response_format",
    "streamOptions": "stream_options",
    "toolCallId": "tool_call_id",
    "toolCalls": "tool_calls",
    "toolChoice": "tool_choice",
    "topP": "top_p",
}
_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_EVENTS: Final = b"text/event-stream"


def chat(body: bytes, visit: Visit) -> tuple[str, bytes]:
    """A chat; `prompt` instead of messages is one message, and `accept: text/event-stream` asks for a stream."""
    fields = fields_of(body)
    if fields is None:
        return "openai.chat", body
    changed = _renamed(fields)
    if "messages" not in fields and "prompt" in fields:
        fields["messages"] = [{"role": "user", "content": fields.pop("prompt")}]
        changed = True
    if "stream" not in fields and visit.headers.get(b"accept", b"").startswith(_EVENTS):
        fields["stream"] = changed = True
    messages = fields.get("messages")
    for message in cast("list[Any]", messages) if isinstance(messages, list) else ():
        changed |= _message(message)
    changed |= _rename_in(fields.get("response_format"), "jsonSchema", "json_schema")
    return "openai.chat", msgspec.json.encode(fields) if changed else body


def completions(body: bytes, visit: Visit) -> tuple[str, bytes]:
    """A legacy completion; with messages it is a chat."""
    fields = fields_of(body)
    if fields is not None and "messages" in fields:
        return chat(body, visit)
    return "openai.completions", _put(body)


def embeddings(body: bytes, _visit: Visit) -> tuple[str, bytes]:
    """Embeddings."""
    return "openai.embeddings", body


def images(body: bytes, _visit: Visit) -> tuple[str, bytes]:
    """Pictures, after others where there is an `image`: an address, or several."""
    fields = fields_of(body)
    given = None if fields is None else fields.pop("image", None)
    if fields is None or not given:
        return "openai.images", _put(body)
    _renamed(fields)
    addresses = cast("list[Any]", given) if isinstance(given, list) else [given]
    if not all(isinstance(address, str) for address in addresses):
        raise InvalidRequest("Invalid 'image': expected an address, or a list of them.", param="image")
    fields["images"] = [{"image_url": address} for address in addresses]
    return "openai.image_edits", msgspec.json.encode(fields)


def speech(body: bytes, _visit: Visit) -> tuple[str, bytes]:
    """A text to be read aloud."""
    return "openai.speech", _put(body)


def transcription(body: bytes, _visit: Visit) -> tuple[str, bytes]:
    """A recording to be written down: a form, which has OpenAI's names."""
    return "openai.transcriptions", body


def aigne_chat(body: bytes, _visit: Visit) -> tuple[str, bytes]:
    """A chat of AIGNE's framework, which has a dialect of its own."""
    return "aigne.chat", body


def fields_of(body: bytes) -> dict[str, Any] | None:
    """Read an object; None for anything else, of which the dialect itself says what is wrong."""
    try:
        fields = msgspec.json.decode(body)
    except _JSON:
        return None
    return cast("dict[str, Any]", fields) if isinstance(fields, dict) else None


def _put(body: bytes) -> bytes:
    fields = fields_of(body)
    return msgspec.json.encode(fields) if fields is not None and _renamed(fields) else body


def _renamed(fields: dict[str, Any]) -> bool:
    changed = False
    for name in fields.keys() & _NAMES.keys():
        changed |= _rename_in(fields, name, _NAMES[name])
    return changed


def _rename_in(fields: object, old: str, new: str) -> bool:
    """Rename one field of an object; what is there by its right name stays."""
    if not isinstance(fields, dict) or old not in fields:
        return False
    own = cast("dict[str, Any]", fields)
    own.setdefault(new, own[old])
    del own[old]
    return True


def _message(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    fields = cast("dict[str, Any]", message)
    changed = _renamed(fields)
    content = fields.get("content")
    for part in cast("list[Any]", content) if isinstance(content, list) else ():
        changed |= _rename_in(part, "imageUrl", "image_url")
    return changed
