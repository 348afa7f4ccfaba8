"""OpenAI images as clients ask for them. https://platform.openai.com/docs/api-reference/images.

Three dialects that differ in what comes with the request; their answers are alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import multipart, sse
from gateway.wire.body import read_answer, read_request
from gateway.wire.dialect import PLAIN, Given, Head, StreamReader
from gateway.wire.estimate import estimated_tokens
from gateway.wire.media_usage import read_usage
from gateway.wire.model_field import with_model
from gateway.wire.named_events import NamedEvent, NamedEventsReader
from gateway.wire.openai_errors import error_body

_DIGITS: Final = 9
_COMPLETED: Final = frozenset({"image_generation.completed", "image_edit.completed"})


class _Request(Struct):
    model: str | None = None
    prompt: str | None = None
    stream: bool | None = None
    n: int | None = None


class _Answer(Struct):
    data: list[Raw] | None = None
    usage: Any = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_SWITCH: Final[Mapping[str | None, bool]] = {None: False, "true": True, "false": False}


class OpenAIImages:
    """Pictures made after a text, whole or streamed while they grow."""

    name: Dialect = "openai.images"
    capability: Capability = "image"
    keep_alive = b": keep-alive\n\n"
    takes_forms = False
    needs_prompt = True

    def read(self, body: bytes, given: Given = PLAIN, /) -> Head:
        """Read model and stream; see that prompt and pictures are there, where they must be."""
        if self.takes_forms and multipart.is_form(given.content_type):
            form = multipart.parse(body, given.content_type)
            request = _form_request(form)
            if not form.named("image", "image[]"):
                raise InvalidRequest(
                    "Missing required parameter: 'image'.", param="image", code="missing_required_parameter"
                )
        else:
            request = read_request(_decode_request, body)
            if self.takes_forms and not _decode_fields(body).keys() & {"image", "images"}:
                raise InvalidRequest(
                    "Missing required parameter: 'image', in a form (multipart/form-data), or 'images' in JSON.",
                    param="image",
                    code="missing_required_parameter",
                )
        if not request.model:
            raise InvalidRequest("You must provide a model parameter.", param="model")
        if self.needs_prompt and not request.prompt:
            raise InvalidRequest(
                "Missing required parameter: 'prompt'.", param="prompt", code="missing_required_parameter"
            )
        return Head(request.model, bool(request.stream))

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model name where it differs."""
        return with_model(call, model)

    def usage(self, body: bytes) -> Usage | None:
        """Count the pictures; older models tell no tokens."""
        answer = read_answer(_decode_answer, body)
        if answer is None or answer.data is None:
            return None
        images = len(answer.data)
        return read_usage(answer.usage, images=images) or Usage(images=images)

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Take it that the client got as many pictures as it asked for."""
        del body
        return _estimated(call, _asked(call).n or 1)

    def reader(self, call: Call) -> StreamReader:
        """Make a reader for pictures that grow."""
        return ImageReader(_asked(call).n or 1)

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as OpenAI does."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error inside a stream: a data event with an `error` object, which OpenAI's SDKs raise."""
        return sse.event(error_body(error))


class OpenAIImageEdits(OpenAIImages):
    """Pictures changed as a text says: a form with files, or JSON that says where they are."""

    name: Dialect = "openai.image_edits"
    takes_forms = True


class OpenAIImageVariations(OpenAIImages):
    """Variations of a picture."""

    name: Dialect = "openai.image_variations"
    takes_forms = True
    needs_prompt = False


class ImageReader(NamedEventsReader):
    """Follows pictures that grow, until as many as were asked for are complete."""

    usage: Usage | None

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self._wanted = wanted
        self._images = 0

    def note(self, event: NamedEvent) -> None:
        """Count what is complete, and add up what each cost."""
        if event.type not in _COMPLETED:
            return
        self._images += 1
        said = read_usage(event.usage) or Usage()
        before = self.usage or Usage()
        self.usage = Usage(
            prompt_tokens=before.prompt_tokens + said.prompt_tokens,
            completion_tokens=before.completion_tokens + said.completion_tokens,
            images=self._images,
        )
        self.finished = self._images >= self._wanted

    def estimate(self, call: Call, /) -> Usage:
        """Only the prompt can have been used, as no picture was complete."""
        return _estimated(call, 0)


def _form_request(form: multipart.Form) -> _Request:
    stream, n = form.text("stream"), form.text("n")
    if stream is not None and stream.lower() not in _SWITCH:
        raise InvalidRequest("Invalid 'stream': expected true or false.", param="stream", code="invalid_type")
    if n is not None and not (n.isascii() and n.isdigit() and len(n) <= _DIGITS):
        raise InvalidRequest("Invalid 'n': expected a whole number.", param="n", code="invalid_type")
    return _Request(
        model=form.text("model"),
        prompt=form.text("prompt"),
        stream=_SWITCH[stream.lower() if stream else None],
        n=int(n) if n else None,
    )


def _asked(call: Call) -> _Request:
    if multipart.is_form(call.content_type):
        return _form_request(multipart.parse(call.body, call.content_type))
    return _decode_request(call.body)


def _estimated(call: Call, images: int) -> Usage:
    tokens = estimated_tokens(len(_asked(call).prompt or ""))
    return Usage(prompt_tokens=tokens, images=images, estimated=True)
