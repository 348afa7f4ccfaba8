"""Files in messages: by address or in base64."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from gateway.errors import InvalidRequest
from gateway.wire.aigne_chat.shapes import Content, ImageUrl
from gateway.wire.canonical import Audio, CacheHint, Document, Image, Part, Source, Video

_DATA_URL: Final = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,")
_TYPES: Final[Mapping[str, str]] = {
    "aac": "audio/aac",
    "csv": "text/csv",
    "flac": "audio/flac",
    "gif": "image/gif",
    "htm": "text/html",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "md": "text/markdown",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
}
"""Media types by the end of a name; what is unknown is taken for a picture."""


def file_part(content: Content, cache: CacheHint | None) -> Part:
    """Read a file; its media type says which kind of part it is. Raises `InvalidRequest`."""
    url, data, kind = content.url, content.data, content.mime_type
    if content.type == "local":
        raise InvalidRequest(
            "A file of type 'local' cannot be read from here: send it as 'file', in base64, or as 'url'.",
            param="input.messages.content",
        )
    if content.type in {"image_url", "imageUrl"}:
        image = content.image_url
        url = image.url if isinstance(image, ImageUrl) else image
    if (data if content.type == "file" else url) is None:
        raise InvalidRequest(
            f"Content of type '{content.type}' is unknown here, or it lacks its '{_field(content.type)}'.",
            param="input.messages.content",
        )
    if content.type != "file" and url is not None and (match := _DATA_URL.match(url)):
        kind, data, url = kind or match[1] or None, url[match.end() :], None
    kind = kind or _guessed(content.filename or url or "")
    source = Source(media_type=kind, data=data) if data is not None else Source(media_type=kind, url=url)
    match (kind or "").partition("/")[0]:
        case "audio":
            return Audio(source=source, cache=cache)
        case "video":
            return Video(source=source, cache=cache)
        case "image" | "":
            return Image(source=source, cache=cache)
        case _:
            return Document(source=source, name=content.filename, cache=cache)


def _field(type: str) -> str:
    return {"text": "text", "file": "data", "image_url": "image_url"}.get(type, "url")


def _guessed(name: str) -> str | None:
    """What the end of a file's name, or of its address, says."""
    return _TYPES.get(name.partition("?")[0].rpartition(".")[2].lower())
