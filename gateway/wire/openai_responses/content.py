"""The parts of a message: `input_text`, `input_image` and so on, to the canonical form and back."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeVar, cast

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire.cache_hints import Breakpoint, marked, read_breakpoint
from gateway.wire.canonical import (
    Audio,
    Citation,
    Document,
    Image,
    Part,
    Refusal,
    Source,
    Text,
)
from gateway.wire.codec import Losses
from gateway.wire.file_names import usual_name

T = TypeVar("T", bound=Struct)

_AUDIO: Final = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}
_DOCUMENT: Final = "application/pdf"


class _Piece(Struct):
    text: str
    prompt_cache_breakpoint: Breakpoint | None = None


class _Output(Struct):
    text: str
    annotations: list[Any] | None = None


class _Refusal(Struct):
    refusal: str


class _Image(Struct):
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class _File(Struct):
    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class _Sound(Struct):
    data: str
    format: Literal["mp3", "wav"]


class _Audio(Struct):
    input_audio: _Sound


class _Annotation(Struct):
    type: str = ""
    url: str | None = None
    title: str | None = None
    filename: str | None = None
    start_index: int | None = None
    end_index: int | None = None


def read_as(kind: type[T], value: Any, where: str) -> T:
    """Convert a decoded value. Raises `InvalidRequest` naming the field, `where` being that of the value."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        param = where + path.rstrip("`")
        if "missing required field" in problem:
            param = f"{param}.{problem.rpartition('field `')[2].rstrip('`')}"
            raise InvalidRequest(
                f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
            ) from None
        problem = problem[:1].lower() + problem[1:].replace("`", "")
        raise InvalidRequest(
            f"Invalid type for '{param}': {problem}.", param=param, code="invalid_type"
        ) from None


def object_of(value: Any, where: str) -> Mapping[str, Any]:
    """Require an object."""
    if not isinstance(value, dict):
        raise InvalidRequest(
            f"Invalid type for '{where}': expected an object.", param=where, code="invalid_type"
        )
    return cast("Mapping[str, Any]", value)


def decode_parts(content: Any, where: str) -> tuple[Part, ...]:
    """Read the content of a message or of a tool's output: text, or a list of parts."""
    if isinstance(content, str):
        return (Text(text=content),)
    if not isinstance(content, list):
        raise InvalidRequest(
            f"Invalid type for '{where}': expected text or an array of parts.",
            param=where,
            code="invalid_type",
        )
    return tuple(
        _decode_part(part, f"{where}[{place}]") for place, part in enumerate(cast("list[Any]", content))
    )


def _decode_part(value: Any, where: str) -> Part:
    fields = object_of(value, where)
    match fields.get("type"):
        case "input_text" | "text" | "summary_text" | "reasoning_text":
            piece = read_as(_Piece, fields, where)
            return Text(text=piece.text, cache=read_breakpoint(piece.prompt_cache_breakpoint))
        case "output_text":
            output = read_as(_Output, fields, where)
            return Text(text=output.text, citations=read_citations(output.annotations or ()))
        case "refusal":
            return Refusal(text=read_as(_Refusal, fields, where).refusal)
        case "input_image":
            return _image(read_as(_Image, fields, where), where)
        case "input_file":
            return _file(read_as(_File, fields, where), where)
        case "input_audio":
            sound = read_as(_Audio, fields, where).input_audio
            media = "audio/mpeg" if sound.format == "mp3" else "audio/wav"
            return Audio(source=Source(media_type=media, data=sound.data))
        case other:
            known = "input_text, input_image, input_file, input_audio, output_text and refusal"
            raise InvalidRequest(
                f"Invalid value for '{where}.type': {other!r}. Supported values are {known}.",
                param=f"{where}.type",
                code="invalid_value",
            )


def _image(image: _Image, where: str) -> Image:
    if image.image_url is not None:
        source = read_url(image.image_url, f"{where}.image_url")
    elif image.file_id is not None:
        source = Source(file=image.file_id)
    else:
        raise InvalidRequest(f"'{where}' needs 'image_url' or 'file_id'.", param=where)
    return Image(source=source, detail=image.detail, cache=read_breakpoint(image.prompt_cache_breakpoint))


def _file(file: _File, where: str) -> Document:
    if file.file_data is not None:
        data = file.file_data
        source = (
            read_url(data, f"{where}.file_data")
            if data.startswith("data:")
            else Source(media_type=_DOCUMENT, data=data)
        )
    elif file.file_url is not None:
        source = read_url(file.file_url, f"{where}.file_url")
    elif file.file_id is not None:
        source = Source(file=file.file_id)
    else:
        raise InvalidRequest(f"'{where}' needs 'file_data', 'file_url' or 'file_id'.", param=where)
    return Document(source=source, name=file.filename, cache=read_breakpoint(file.prompt_cache_breakpoint))


def read_url(url: str, where: str) -> Source:
    """Read a URL, or the bytes of a `data:` URL."""
    if not url.startswith("data:"):
        return Source(url=url)
    head, comma, data = url[5:].partition(",")
    media_type, *options = head.split(";")
    if not comma or "base64" not in options:
        raise InvalidRequest(
            f"'{where}' is not a base64 data URL; write 'data:image/png;base64,…'.",
            param=where,
            code="invalid_base64",
        )
    return Source(media_type=media_type or None, data=data)


def read_citations(annotations: Sequence[Any]) -> tuple[Citation, ...]:
    """Read annotations; those of OpenAI's own files, which others cannot have, are left out."""
    found: list[Citation] = []
    for value in annotations:
        try:
            note = msgspec.convert(value, _Annotation)
        except msgspec.ValidationError:
            continue  # of a shape we do not know, and nothing that the text depends upon
        if note.type == "url_citation" and note.url:
            found.append(Citation(url=note.url, title=note.title, start=note.start_index, end=note.end_index))
        elif note.type == "file_citation" and note.filename:
            found.append(Citation(title=note.filename))
    return tuple(found)


def write_citation(citation: Citation, length: int) -> dict[str, Any]:
    """Write an annotation for a text that is so long."""
    start = 0 if citation.start is None else citation.start
    end = length if citation.end is None else citation.end
    if citation.url is not None:
        return {
            "type": "url_citation",
            "url": citation.url,
            "title": citation.title or citation.url,
            "start_index": start,
            "end_index": end,
        }
    name = citation.title or f"document {citation.document or 0}"
    return {"type": "file_citation", "file_id": "", "filename": name, "index": end}


def encode_part(part: Part, losses: Losses, *, caches: bool) -> dict[str, Any] | None:
    """Write a part of what a user or a tool says; None when the API cannot say it, which `losses` is told."""
    match part:
        case Text():
            fields: dict[str, Any] = {"type": "input_text", "text": part.text}
        case Image(source=source) if source.text is None:
            where = {"file_id": source.file} if source.file else {"image_url": _url(source, "image/png")}
            fields = {"type": "input_image", **where, "detail": part.detail or "auto"}
        case Document():
            fields = _write_file(part)
            if part.citations or part.context:
                losses.cannot("messages.document")
        case Audio(source=Source(media_type=kind, data=str(data))) if kind in _AUDIO:
            fields = {"type": "input_audio", "input_audio": {"data": data, "format": _AUDIO[kind]}}
            caches = False
        case _:
            losses.cannot(f"messages.{type(part).__name__.lower()}")
            return None
    if part.cache is not None:
        if caches:
            return marked(fields, part.cache)
        losses.cannot("cache_control")
    return fields


def _write_file(document: Document) -> dict[str, Any]:
    source = document.source
    fields: dict[str, Any] = {"type": "input_file"}
    if source.file is not None:
        fields["file_id"] = source.file
    elif source.url is not None:
        fields["file_url"] = source.url
    else:
        if source.text is not None:
            data = base64.b64encode(source.text.encode()).decode()
            source = Source(media_type="text/plain", data=data)
        fields["file_data"] = _url(source, _DOCUMENT)
        fields["filename"] = usual_name(source.media_type or _DOCUMENT)
    if document.name is not None:
        fields["filename"] = document.name
    return fields


def _url(source: Source, usual: str) -> str:
    if source.url is not None:
        return source.url
    return f"data:{source.media_type or usual};base64,{source.data or ''}"
