"""Writes OpenAI moderations: a text is flagged for the categories that it names.

https://platform.openai.com/docs/api-reference/moderations
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest

CATEGORIES: Final = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
_HIGH, _LOW = 0.99, 0.01


class Part(Struct):
    """One part of an input: a text or a picture."""

    type: str
    text: str | None = None


class ModerationRequest(Struct):
    input: str | list[str | Part]

    def texts(self) -> list[str]:
        """Return what is judged, one text for each judgement; parts are judged together."""
        if isinstance(self.input, str):
            return [self.input]
        parts = [item for item in self.input if isinstance(item, Part)]
        joined = [" ".join(part.text or "" for part in parts)] if parts else []
        return [*(item for item in self.input if isinstance(item, str)), *joined]


_decode = msgspec.json.Decoder(ModerationRequest).decode


def read(body: bytes) -> ModerationRequest:
    """Decode a request; raises `InvalidRequest` as OpenAI would answer 400."""
    try:
        request = _decode(body)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"Invalid request: {error}.") from None
    if not request.input:
        raise InvalidRequest("Invalid 'input': it is empty.", param="input")
    return request


def body(request: ModerationRequest, model: str) -> bytes:
    """Write the answer."""
    texts = request.texts()
    fingerprint = hashlib.sha256(msgspec.json.encode(texts)).hexdigest()
    results = [_judge(text) for text in texts]
    return msgspec.json.encode({"id": f"modr-{fingerprint[:24]}", "model": model, "results": results})


def _judge(text: str) -> dict[str, Any]:
    words = text.lower()
    found = {category: category in words for category in CATEGORIES}
    return {
        "flagged": any(found.values()),
        "categories": found,
        "category_scores": {category: _HIGH if named else _LOW for category, named in found.items()},
        "category_applied_input_types": {category: ["text"] for category in CATEGORIES},
    }
