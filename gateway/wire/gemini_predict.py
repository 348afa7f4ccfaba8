"""Requests for Imagen as they pass through, from Google's own clients.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.body import read_answer, read_request
from gateway.wire.dialect import PLAIN, Given, Head
from gateway.wire.estimate import estimated_tokens, text_length
from gateway.wire.gemini_errors import error_body
from gateway.wire.gemini_imagen import Prediction
from gateway.wire.whole import WholeAnswers


class _Instance(Struct):
    prompt: str


class _Request(Struct):
    instances: list[_Instance]


class _Answer(Struct):
    predictions: list[Prediction] | None = None


_decode_request: Final = msgspec.json.Decoder(_Request).decode
_decode_answer: Final = msgspec.json.Decoder(_Answer).decode


class GeminiPredict(WholeAnswers):
    """Pictures, whole; the model is in the path."""

    name: Dialect = "gemini.predict"
    capability: Capability = "image"

    def read(self, body: bytes, given: Given = PLAIN, /) -> Head:
        """Check that there is something to paint."""
        if not read_request(_decode_request, body).instances:
            raise InvalidRequest("Give 'instances' with a prompt.", param="instances")
        return Head(given.model)

    def prepare(self, call: Call, model: str) -> bytes:  # noqa: ARG002 - the model is in the path
        """Return the client's bytes."""
        return call.body

    def usage(self, body: bytes) -> Usage | None:
        """Count the pictures; those that were withheld are not paid for."""
        answer = read_answer(_decode_answer, body)
        if answer is None:
            return None
        return Usage(images=sum(one.picture() is not None for one in answer.predictions or ()))

    def estimate(self, call: Call, body: bytes) -> Usage:  # noqa: ARG002 - its shape is not known
        """Take it that there is a picture."""
        tokens = estimated_tokens(text_length(call.body, "instances"))
        return Usage(prompt_tokens=tokens, images=1, estimated=True)

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as Google does."""
        return error_body(error)
