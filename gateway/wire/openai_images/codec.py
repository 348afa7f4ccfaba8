"""OpenAI images to and from the canonical form. https://platform.openai.com/docs/api-reference/images."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.types import Dialect, Usage
from gateway.wire import multipart
from gateway.wire.body import read_request
from gateway.wire.canonical.image import ImageAnswer, ImageRequest
from gateway.wire.canonical.parts import Source
from gateway.wire.client_only import ClientOnly
from gateway.wire.pixels import read_size

MAX_IMAGES: Final = 10
_DATA_URL: Final = re.compile(r"data:([a-z0-9.+/-]+);base64,(.*)", re.DOTALL)
_PICTURES: Final = frozenset({"image", "image[]", "images", "mask"})
_MAGIC: Final = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
    b"GIF8": "image/gif",
}
_NEUTRAL: Final[Mapping[str, object]] = {
    "moderation": "auto",
    "input_fidelity": "low",
    "partial_images": 0,
    "output_compression": 100,
}
"""What a client may say that changes nothing."""


class _Request(Struct):
    model: str = ""
    prompt: str | None = None
    n: int | None = None
    size: str | None = None
    quality: str | None = None
    background: str | None = None
    output_format: str | None = None
    response_format: str | None = None
    stream: bool | None = None
    user: str | None = None


class _Reference(Struct):
    image_url: str | None = None
    file_id: str | None = None


class _Pictures(Struct):
    images: list[_Reference] | None = None
    mask: _Reference | None = None


_KNOWN: Final = frozenset(_Request.__struct_fields__)
_decode_request = msgspec.json.Decoder(_Request).decode
_decode_pictures = msgspec.json.Decoder(_Pictures).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode


class OpenAIImagesCodec(ClientOnly[ImageRequest, ImageAnswer]):
    """Pictures made, edited or varied; `dialect` says which."""

    names: Mapping[str, str] = {"images": "image", "as_url": "response_format"}
    content_type = "application/json"

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ImageRequest:
        """Read a request, which is a form where it begins as one."""
        images: tuple[Source, ...]
        if body.startswith(b"--"):
            form = multipart.parse_again(body)
            request, extra = _from_form(form)
            images = tuple(_file(form, field) for field in form.named("image", "image[]"))
            mask = next((_file(form, field) for field in form.named("mask")), None)
        else:
            request, fields = read_request(_decode_request, body), _decode_fields(body)
            extra = {name: fields[name] for name in fields.keys() - _KNOWN - _PICTURES}
            pictures = read_request(_decode_pictures, body)
            images = tuple(_referred(one, "images") for one in pictures.images or ())
            mask = _referred(pictures.mask, "mask") if pictures.mask else None
        if request.n is not None and not 1 <= request.n <= MAX_IMAGES:
            raise InvalidRequest(f"Invalid 'n': expected a number from 1 to {MAX_IMAGES}.", param="n")
        return ImageRequest(
            dialect=self.dialect,
            model=model,
            prompt=request.prompt or "",
            n=request.n,
            size=read_size(request.size),
            quality=request.quality,
            background=request.background,
            output_format=request.output_format,
            as_url=request.response_format == "url",
            images=images,
            mask=mask,
            stream=stream,
            user=request.user,
            extra={
                name: value
                for name, value in extra.items()
                if value is not None and str(value) != str(_NEUTRAL.get(name))
            },
        )

    def encode_answer(self, answer: ImageAnswer, request: ImageRequest) -> bytes:
        """Write pictures; where an address is wanted, it is one that holds the picture (`data:`)."""
        data: list[dict[str, str]] = []
        for image in answer.images:
            kind = image.media_type or "image/png"
            if image.url is not None:
                data.append({"url": image.url})
            elif request.as_url:
                data.append({"url": f"data:{kind};base64,{image.data}"})
            else:
                data.append({"b64_json": image.data or ""})
        fields: dict[str, Any] = {"created": int(time.time()), "data": data}
        if answer.images and answer.images[0].media_type:
            fields["output_format"] = answer.images[0].media_type.partition("/")[2]
        if answer.usage is not None:
            fields["usage"] = _usage_fields(answer.usage)
        return msgspec.json.encode(fields)

    def usage(self, answer: ImageAnswer, request: ImageRequest) -> Usage:
        """The provider's codec is asked."""
        del answer, request
        self._no_provider()


def _from_form(form: multipart.Form) -> tuple[_Request, dict[str, Any]]:
    texts = {
        field.name: form.text(field.name)
        for field in form.fields
        if field.name not in _PICTURES and field.filename is None
    }
    known = {name: text for name, text in texts.items() if name in _KNOWN}
    try:
        request = msgspec.convert(known, _Request, strict=False)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("$.")[2].rstrip("`")
        raise InvalidRequest(
            f"Invalid '{name}': {str(error).partition(' - ')[0].lower()}.", param=name, code="invalid_type"
        ) from None
    files = {
        field.name: field.filename for field in form.fields if field.filename and field.name not in _PICTURES
    }
    return request, {**{name: text for name, text in texts.items() if name not in _KNOWN}, **files}


def _file(form: multipart.Form, field: multipart.Field) -> Source:
    data = form.data(field)
    kind = field.content_type or ""
    if not kind.startswith("image/"):
        kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "image/png")
    return Source(media_type=kind, data=base64.b64encode(data).decode())


def _referred(reference: _Reference, name: str) -> Source:
    url = reference.image_url
    if url is None:
        if reference.file_id is None:
            raise InvalidRequest(f"Invalid '{name}': expected an image_url or a file_id.", param=name)
        return Source(file=reference.file_id)
    found = _DATA_URL.fullmatch(url)
    return Source(media_type=found[1], data=found[2]) if found else Source(url=url)


def _usage_fields(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "input_tokens_details": {"text_tokens": usage.prompt_tokens, "image_tokens": 0},
    }
