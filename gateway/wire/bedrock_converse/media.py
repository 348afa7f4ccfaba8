"""Pictures, sound, film and documents: Converse names their formats by a word of its own instead of a media type.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.wire.canonical import Audio, Document, Image, Source, Video
from gateway.wire.codec import Losses

IMAGES: Final[Mapping[str, str]] = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
DOCUMENTS: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
VIDEOS: Final[Mapping[str, str]] = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/mpg": "mpg",
    "video/x-ms-wmv": "wmv",
    "video/wmv": "wmv",
    "video/3gpp": "three_gp",
}
AUDIOS: Final[Mapping[str, str]] = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/opus": "opus",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mp4": "mp4",
    "audio/m4a": "m4a",
    "audio/x-m4a": "m4a",
    "audio/x-matroska": "mka",
    "audio/webm": "webm",
    "audio/pcm": "pcm",
}
_TYPES: Final[Mapping[type, tuple[str, Mapping[str, str]]]] = {
    Image: ("image", IMAGES),
    Audio: ("audio", AUDIOS),
    Video: ("video", VIDEOS),
}
_UNFIT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9\-()\[\]]+")
_LONGEST_NAME: Final = 200


class S3Location(Struct):
    """An object in S3."""

    uri: str = ""
    bucketOwner: str | None = None  # noqa: N815 - the wire's own spelling


class TextOnly(Struct):
    """A block that may hold nothing but text."""

    text: str = ""


class MediaSource(Struct):
    """Where the bytes are."""

    bytes: str | None = None
    s3Location: S3Location | None = None  # noqa: N815
    text: str | None = None
    content: list[TextOnly] | None = None


class Citing(Struct):
    """Whether a document is to be cited."""

    enabled: bool = False


class Medium(Struct):
    """An image, video, audio or document block."""

    source: MediaSource
    format: str | None = None
    name: str | None = None
    context: str | None = None
    citations: Citing | None = None


class DocumentNames:
    """Gives each document of a request a name that Converse allows, and no other document has."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def name(self, wanted: str | None) -> str:
        """Return the name: letters, digits, single spaces, hyphens, parentheses and square brackets."""
        base = _UNFIT_IN_NAMES.sub(" ", wanted or "").strip()[: _LONGEST_NAME - 6] or "document"
        name, number = base, 1
        while name in self._given:
            number += 1
            name = f"{base} ({number})"
        self._given.add(name)
        return name


def encode_medium(part: Image | Audio | Video, losses: Losses) -> dict[str, Any] | None:
    """Write a picture, film or recording; None when that cannot be said."""
    kind, formats = _TYPES[type(part)]
    form = formats.get(_plain(part.source.media_type))
    place = _place(part.source)
    if form is None or place is None:
        losses.cannot(f"messages.{kind}")
        return None
    return {kind: {"format": form, "source": place}}


def encode_document(part: Document, names: DocumentNames, losses: Losses) -> dict[str, Any] | None:
    """Write a document; None when that cannot be said."""
    source = part.source
    place = {"text": source.text} if source.text is not None else _place(source)
    form = DOCUMENTS.get(_plain(source.media_type))
    if place is None or (form is None and source.text is None):
        losses.cannot("messages.document")
        return None
    fields: dict[str, Any] = {"name": names.name(part.name), "source": place}
    if form is not None:
        fields["format"] = form
    if part.context:
        fields["context"] = part.context
    if part.citations:
        fields["citations"] = {"enabled": True}
    return {"document": fields}


def decode_medium(kind: str, medium: Medium) -> Image | Audio | Video | Document | None:
    """Read such a block; None when it says something that the canonical form cannot."""
    source = _source(medium, DOCUMENTS if kind == "document" else _formats(kind))
    if source is None:
        return None
    match kind:
        case "image":
            return Image(source=source)
        case "audio":
            return Audio(source=source)
        case "video":
            return Video(source=source)
        case _:
            cites = medium.citations is not None and medium.citations.enabled
            return Document(source=source, name=medium.name, context=medium.context, citations=cites)


def media_type(form: str | None, formats: Mapping[str, str]) -> str | None:
    """Return the media type that goes by this name."""
    return next((name for name, one in formats.items() if one == form), None)


def _formats(kind: str) -> Mapping[str, str]:
    return next(formats for name, formats in _TYPES.values() if name == kind)


def _place(source: Source) -> dict[str, Any] | None:
    if source.data is not None:
        return {"bytes": source.data}
    if source.url is not None and source.url.startswith("s3://"):
        return {"s3Location": {"uri": source.url}}
    return None


def _source(medium: Medium, formats: Mapping[str, str]) -> Source | None:
    given, kind = medium.source, media_type(medium.format, formats)
    if given.bytes is not None:
        return Source(data=given.bytes, media_type=kind)
    if given.text is not None:
        return Source(text=given.text, media_type=kind)
    place = given.s3Location
    if place is not None and place.bucketOwner is None:
        return Source(url=place.uri, media_type=kind)
    return None


def _plain(kind: str | None) -> str:
    return (kind or "").partition(";")[0].strip().lower()
