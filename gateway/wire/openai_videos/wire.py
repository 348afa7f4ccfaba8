"""OpenAI video jobs as clients start them. https://platform.openai.com/docs/api-reference/videos/create."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import multipart
from gateway.wire.body import read_answer, read_request
from gateway.wire.dialect import PLAIN, Given, Head
from gateway.wire.media_usage import read_seconds
from gateway.wire.model_field import with_model
from gateway.wire.openai_errors import error_body
from gateway.wire.whole import WholeAnswers

SECONDS: Final = 4.0
"""How long a film is when nobody says."""


class _Request(Struct):
    model: str | None = None
    prompt: str | None = None
    seconds: str | float | None = None


class _Answer(Struct):
    seconds: Any = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode


class OpenAIVideos(WholeAnswers):
    """A film to be made: the answer is a job, and the film comes later."""

    name: Dialect = "openai.videos"
    capability: Capability = "video"

    def read(self, body: bytes, given: Given = PLAIN, /) -> Head:
        """Read the model, from JSON or a form."""
        request = _asked(body, given.content_type)
        if not request.model:
            raise InvalidRequest("You must provide a model parameter.", param="model")
        if not request.prompt:
            raise InvalidRequest(
                "Missing required parameter: 'prompt'.", param="prompt", code="missing_required_parameter"
            )
        return Head(request.model)

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model name where it differs."""
        return with_model(call, model)

    def usage(self, body: bytes) -> Usage | None:
        """Tell how long the film will be."""
        answer = read_answer(_decode_answer, body)
        seconds = read_seconds(answer.seconds) if answer else None
        return None if seconds is None else Usage(seconds=seconds)

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Take it that the film will be as long as was asked for."""
        del body
        seconds = read_seconds(_asked(call.body, call.content_type).seconds)
        return Usage(seconds=SECONDS if seconds is None else seconds, estimated=True)

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as OpenAI does."""
        return error_body(error)


class OpenAIVideoRemix(OpenAIVideos):
    """A film made anew from an earlier one. Model and id of that one are put into the body by the endpoint."""

    name: Dialect = "openai.video_remix"

    def read(self, body: bytes, given: Given = PLAIN, /) -> Head:
        """Read the prompt; the model is the earlier film's."""
        if multipart.is_form(given.content_type):
            raise InvalidRequest("The request body must be JSON.", code="invalid_json")
        if not read_request(_decode_request, body).prompt:
            raise InvalidRequest(
                "Missing required parameter: 'prompt'.", param="prompt", code="missing_required_parameter"
            )
        return Head(given.model)

    def prepare(self, call: Call, model: str) -> bytes:
        """Leave the body as the endpoint has made it."""
        del model
        return call.body


def _asked(body: bytes, content_type: str) -> _Request:
    if not multipart.is_form(content_type):
        return read_request(_decode_request, body)
    form = multipart.parse(body, content_type)
    return _Request(form.text("model"), form.text("prompt"), form.text("seconds"))
