"""Makes tiny pictures in one colour, as OpenAI's images: equal prompts get equal pictures.

https://platform.openai.com/docs/api-reference/images
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from base64 import b64encode
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire import multipart, sse

_SIDE: Final = 8
_CREATED: Final = 1_700_000_000
_MAX_PICTURES: Final = 10
_TOKENS: Final = 64
"""What one picture costs."""


class PictureRequest(Struct):
    prompt: str = ""
    n: int | None = None
    response_format: str | None = None
    stream: bool | None = None
    partial_images: int | None = None


_decode = msgspec.json.Decoder(PictureRequest, strict=False).decode


def read(body: bytes, content_type: str) -> PictureRequest:
    """Read a request, JSON or a form; raises `InvalidRequest` as OpenAI would answer 400."""
    try:
        if multipart.is_form(content_type):
            form = multipart.parse(body, content_type)
            fields = {name: form.text(name) for name in PictureRequest.__struct_fields__}
            said = {name: text for name, text in fields.items() if text is not None}
            request = msgspec.convert(said, PictureRequest, strict=False)
        else:
            request = _decode(body)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"Invalid request: {error}.") from None
    if request.n is not None and not 1 <= request.n <= _MAX_PICTURES:
        raise InvalidRequest(f"Invalid 'n': expected a number from 1 to {_MAX_PICTURES}.", param="n")
    return request


def body(request: PictureRequest, prompt: str, *, reports_usage: bool) -> bytes:
    """Write a whole answer."""
    count = request.n or 1
    pictures = [b64encode(png(f"{number} {prompt}")).decode() for number in range(count)]
    as_url = request.response_format == "url"
    answer: dict[str, Any] = {
        "created": _CREATED,
        "data": [
            {"url": f"data:image/png;base64,{data}"} if as_url else {"b64_json": data} for data in pictures
        ],
    }
    if reports_usage:
        answer["usage"] = _usage(prompt, count)
    return msgspec.json.encode(answer)


def events(request: PictureRequest, prompt: str, kind: str) -> list[bytes]:
    """Write a stream; `kind` is `image_generation` or `image_edit`."""
    # The smallest size that the dialect has a name for; the picture is smaller still.
    common = {"created_at": _CREATED, "size": "1024x1024", "quality": "low", "background": "opaque"}
    common["output_format"] = "png"
    written: list[bytes] = []
    for number in range(request.n or 1):
        for partial in range(request.partial_images or 0):
            data = b64encode(png(f"{number} {partial} {prompt}")).decode()
            event = {"b64_json": data, "partial_image_index": partial, **common}
            written.append(_event(f"{kind}.partial_image", event))
        data = b64encode(png(f"{number} {prompt}")).decode()
        written.append(_event(f"{kind}.completed", {"b64_json": data, "usage": _usage(prompt, 1), **common}))
    return written


def png(text: str) -> bytes:
    """Make a picture whose colour stands for the text (PNG, https://www.w3.org/TR/png-3/)."""
    colour = hashlib.sha256(text.encode()).digest()[:3]
    rows = (b"\0" + colour * _SIDE) * _SIDE
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows)),
            (b"IEND", b""),
        )
    )


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    return sse.event(msgspec.json.encode({"type": kind, **fields}), kind)


def _usage(prompt: str, count: int) -> dict[str, Any]:
    text, images = -(-len(prompt) // 4), _TOKENS * count
    return {
        "input_tokens": text,
        "output_tokens": images,
        "total_tokens": text + images,
        "input_tokens_details": {"text_tokens": text, "image_tokens": 0},
    }
