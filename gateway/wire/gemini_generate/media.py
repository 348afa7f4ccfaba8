"""Pictures, sound, film and documents: `inlineData` and `fileData`. https://ai.google.dev/api/caching#Blob."""

from __future__ import annotations

import base64
import mimetypes
import re
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from gateway.wire.canonical import Audio, Document, Image, Source, Video
from gateway.wire.gemini_generate.shapes import Blob, FileData
from gateway.wire.gemini_generate.signatures import standard

Medium: TypeAlias = Image | Audio | Video | Document

_FILE: Final = re.compile(r"https://[a-z0-9.-]*googleapis\.com/.*/files/|files/")
"""How the Files API names its files."""
_FORMATS: Final = {"wav": "audio/wav", "mp3": "audio/mpeg", "pcm16": "audio/L16;codec=pcm;rate=24000"}


def from_blob(blob: Blob, *, detail: str | None = None, signature: str | None = None) -> Medium:
    """Read bytes within the message."""
    source = Source(media_type=blob.mime_type, data=standard(blob.data or ""))
    return medium(source, name=blob.display_name, detail=detail, signature=signature)


def from_file(file: FileData, *, detail: str | None = None, signature: str | None = None) -> Medium:
    """Read a reference to bytes elsewhere."""
    uri = file.file_uri or ""
    kind = file.mime_type or mimetypes.guess_type(urlsplit(uri).path)[0]
    ours = _FILE.match(uri) is not None
    source = Source(media_type=kind, file=uri if ours else None, url=None if ours else uri)
    return medium(source, name=file.display_name, detail=detail, signature=signature)


def medium(source: Source, *, name: str | None, detail: str | None, signature: str | None) -> Medium:
    """Choose the kind of part by the media type."""
    kind = (source.media_type or "").partition("/")[0]
    if kind == "image":
        return Image(source=source, detail=detail, signature=signature)
    if kind == "audio":
        return Audio(source=source)
    if kind == "video" or _is_film(source.url):
        return Video(source=source)
    return Document(source=source, name=name)


def written(part: Medium) -> dict[str, Any]:
    """Write a part as `inlineData`, or `fileData` where only its address is known."""
    source = part.source
    kind = source.media_type or _usual(part)
    if source.text is not None:
        text = base64.b64encode(source.text.encode()).decode()
        return {"inlineData": {"mimeType": "text/plain", "data": text}}
    if source.data is not None:
        return {"inlineData": {"mimeType": kind, "data": source.data}}
    uri = source.file or source.url or ""
    guessed = source.media_type or mimetypes.guess_type(urlsplit(uri).path)[0]
    if guessed is None and not (source.file or _is_film(uri)):
        guessed = _usual(part)
    return {"fileData": {**({"mimeType": guessed} if guessed else {}), "fileUri": uri}}


def _usual(part: Medium) -> str:
    match part:
        case Image():
            return "image/jpeg"
        case Audio():
            return "audio/wav"
        case Video():
            return "video/mp4"
        case Document():
            return "application/pdf"


def spoken(format: str | None) -> str:
    """Return the media type of a spoken answer in one of OpenAI's formats."""
    return _FORMATS.get(format or "pcm16", f"audio/{format}")


def _is_film(url: str | None) -> bool:
    return url is not None and urlsplit(url).hostname in {"youtu.be", "youtube.com", "www.youtube.com"}
