"""OpenAI video jobs to and from the canonical form. https://platform.openai.com/docs/api-reference/videos/create."""

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
from gateway.wire.canonical.parts import Source
from gateway.wire.canonical.video import USUAL_SECONDS, VideoAnswer, VideoRequest
from gateway.wire.client_only import ClientOnly
from gateway.wire.pixels import read_size

_DIGITS: Final = 5
_DATA_URL: Final = re.compile(r"data:(image/[a-z0-9.+-]+);base64,(.*)", re.DOTALL)


class _Reference(Struct):
    image_url: str | None = None
    file_id: str | None = None


class _Request(Struct):
    model: str = ""
    prompt: str = ""
    seconds: str | int | None = None
    size: str | None = None
    input_reference: _Reference | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode
_KNOWN: Final = frozenset(_Request.__struct_fields__)


class OpenAIVideosCodec(ClientOnly[VideoRequest, VideoAnswer]):
    """A film to be made, and the job that makes it."""

    dialect: Dialect = "openai.videos"
    names: Mapping[str, str] = {"image": "input_reference"}
    content_type = "application/json"

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> VideoRequest:
        """Read a request, which is a form where it begins as one."""
        del stream
        if body.startswith(b"--"):
            return self._from_form(multipart.parse_again(body), model)
        request, fields = read_request(_decode_request, body), _decode_fields(body)
        return VideoRequest(
            dialect=self.dialect,
            model=model,
            prompt=request.prompt,
            seconds=_seconds(request.seconds),
            size=read_size(request.size),
            image=_referred(request.input_reference) if request.input_reference else None,
            extra={name: fields[name] for name in fields.keys() - _KNOWN if fields[name] is not None},
        )

    def encode_answer(self, answer: VideoAnswer, request: VideoRequest) -> bytes:
        """Write a job that has just begun."""
        return video_object(
            answer.id,
            model=request.model,
            status="queued",
            created_at=int(time.time()),
            prompt=request.prompt,
            seconds=str(request.seconds or USUAL_SECONDS),
            size="{}x{}".format(*request.size) if request.size else "1280x720",
        )

    def usage(self, answer: VideoAnswer, request: VideoRequest) -> Usage:
        """The provider's codec is asked."""
        del answer, request
        self._no_provider()

    def _from_form(self, form: multipart.Form, model: str) -> VideoRequest:
        texts = {
            field.name: form.text(field.name) for field in form.fields if field.name != "input_reference"
        }
        image = None
        for field in form.named("input_reference"):
            data = base64.b64encode(form.data(field)).decode()
            image = Source(media_type=field.content_type or "image/png", data=data)
        return VideoRequest(
            dialect=self.dialect,
            model=model,
            prompt=texts.get("prompt") or "",
            seconds=_seconds(texts.get("seconds")),
            size=read_size(texts.get("size")),
            image=image,
            extra={name: text for name, text in texts.items() if name not in _KNOWN},
        )


def video_object(id: str, *, model: str, status: str, created_at: int, **fields: Any) -> bytes:
    """Write a job as OpenAI shows it; `status` is `queued`, `in_progress`, `completed` or `failed`."""
    known = {"id": id, "object": "video", "created_at": created_at, "model": model, "status": status}
    usual = {"progress": 100 if status == "completed" else 0, "error": None}
    return msgspec.json.encode({**known, **usual, **fields})


def _seconds(said: str | int | None) -> int | None:
    if said is None:
        return None
    text = str(said)
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) > 0):
        raise InvalidRequest("Invalid 'seconds': expected a whole number.", param="seconds")
    return int(text)


def _referred(reference: _Reference) -> Source:
    if reference.image_url is None:
        if reference.file_id is None:
            raise InvalidRequest(
                "Invalid 'input_reference': expected an image_url or a file_id.", param="input_reference"
            )
        return Source(file=reference.file_id)
    found = _DATA_URL.fullmatch(reference.image_url)
    return Source(media_type=found[1], data=found[2]) if found else Source(url=reference.image_url)
