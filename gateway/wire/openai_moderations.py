"""OpenAI moderations. https://platform.openai.com/docs/api-reference/moderations."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.body import read_answer, read_request
from gateway.wire.dialect import PLAIN, Given, Head
from gateway.wire.model_field import name_model
from gateway.wire.openai_errors import error_body
from gateway.wire.whole import WholeAnswers

DEFAULT_MODEL: Final = "omni-moderation-latest"
"""What OpenAI takes for a request that names none."""


class _Request(Struct):
    input: str | list[Raw]
    model: str | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None


class _Answer(Struct):
    usage: _Usage | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode


class OpenAIModerations(WholeAnswers):
    """Whether texts or pictures are harmful, and how; never streamed."""

    name: Dialect = "openai.moderations"
    capability: Capability = "moderation"

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read the model, which a client need not name."""
        request = read_request(_decode_request, body)
        if not request.input:
            raise InvalidRequest("Invalid 'input': it must not be empty.", param="input")
        return Head(request.model or DEFAULT_MODEL)

    def prepare(self, call: Call, model: str) -> bytes:
        """Name the model where the client named another, or none."""
        named = model == call.model and _decode_request(call.body).model
        return call.body if named else name_model(call.body, model)

    def usage(self, body: bytes) -> Usage:
        """Tell the tokens of a service that counts them; moderation is free where none are told."""
        answer = read_answer(_decode_answer, body)
        tokens = answer.usage.prompt_tokens if answer and answer.usage else None
        return Usage(prompt_tokens=tokens or 0)

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Nothing that is not told was used."""
        del call, body
        return Usage()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as OpenAI does."""
        return error_body(error)
