"""OpenAI's API, as its own service and Azure serve it: where each dialect's requests go.

https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from gateway.types import Attempt, Call, Capability, Dialect, RawHeaders
from gateway.wire import multipart

DIALECTS: Final[Mapping[Capability, Dialect]] = {
    "chat": "openai.chat",
    "embedding": "openai.embeddings",
}
"""What every such service can do, and in which wire format."""

RESPONSES: Final[Mapping[Capability, Dialect]] = {"responses": "openai.responses"}
"""What is added for a service that has the Responses API."""

COMPLETIONS: Final[Mapping[Capability, Dialect]] = {"completion": "openai.completions"}
"""What is added for a service that has the legacy completions."""

MODERATIONS: Final[Mapping[Capability, Dialect]] = {"moderation": "openai.moderations"}
"""What is added for a service that judges texts."""

IMAGES: Final[Mapping[Capability, Dialect]] = {"image": "openai.images"}
"""What is added for a service that makes pictures."""

SPEECH: Final[Mapping[Capability, Dialect]] = {"speech": "openai.speech"}
"""What is added for a service that reads aloud."""

TRANSCRIPTIONS: Final[Mapping[Capability, Dialect]] = {"transcription": "openai.transcriptions"}
"""What is added for a service that writes down what is said."""

VIDEOS: Final[Mapping[Capability, Dialect]] = {"video": "openai.videos"}
"""What is added for a service that makes films."""

REALTIME: Final[Mapping[Capability, Dialect]] = {"realtime": "openai.realtime"}
"""What is added for a service that has the Realtime API."""

ALIKE: Final[Mapping[Dialect, Dialect]] = {
    "openai.chat": "openrouter.chat",
    "openai.image_edits": "openai.images",
    "openai.image_variations": "openai.images",
    "openai.translations": "openai.transcriptions",
    "openai.video_remix": "openai.videos",
}
"""Dialects that a service may be asked in when it has the other one; what it cannot do, it refuses itself."""

FORMS: Final = frozenset(
    {
        "openai.image_edits",
        "openai.image_variations",
        "openai.transcriptions",
        "openai.translations",
        "openai.videos",
    }
)
"""Dialects whose requests may be forms: each request says its own content type."""

PATHS: Final[Mapping[Dialect, str]] = {
    "openai.chat": "/chat/completions",
    "openai.completions": "/completions",
    "openai.embeddings": "/embeddings",
    "openai.moderations": "/moderations",
    "openai.responses": "/responses",
    "openai.images": "/images/generations",
    "openai.image_edits": "/images/edits",
    "openai.image_variations": "/images/variations",
    "openai.speech": "/audio/speech",
    "openai.transcriptions": "/audio/transcriptions",
    "openai.translations": "/audio/translations",
    "openai.videos": "/videos",
}
"""Where each dialect's requests go, below the base URL."""

_BY_PATH: Final[Mapping[str, Dialect]] = {path: dialect for dialect, path in PATHS.items()}


def dialect_at(method: str, path: str) -> Dialect | None:
    """Return the dialect of the calls that a path below the base URL takes; None when it takes none."""
    return _BY_PATH.get(path.rstrip("/")) if method == "POST" else None


def realtime_url(base_url: str, model: str) -> str:
    """Return where a session is opened. https://platform.openai.com/docs/guides/realtime-websocket."""
    return f"{base_url}/realtime?model={quote(model, safe='')}"


def realtime_headers(account: RawHeaders, call: Call) -> RawHeaders:
    """Return the headers of a session's request: the account's, and what the client asks for."""
    kept = [header for header in account if header[0] != b"content-type"]
    return [*kept, *call.forwarded]


def content_type_of(attempt: Attempt) -> bytes:
    """Name the content type of a body: a form says its own, and all else is JSON, whatever the client called it."""
    is_form = multipart.is_form(attempt.content_type)
    return attempt.content_type.encode("latin-1") if is_form else b"application/json"
