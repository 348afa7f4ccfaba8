"""OpenAI embeddings to and from the canonical form.

https://platform.openai.com/docs/api-reference/embeddings/create
"""

from __future__ import annotations

import base64
import binascii
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE, read_request
from gateway.wire.canonical.embedding import EmbeddingAnswer, EmbeddingRequest
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.embedding_estimate import estimate

_FLOAT_BYTES: Final = 4


class _Request(Struct):
    model: str
    input: str | list[str | int | list[int]]
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


class _Outgoing(Struct, omit_defaults=True):
    model: str
    input: str | tuple[int, ...] | tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    user: str | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None


class _Embedding(Struct):
    embedding: list[float] | str
    index: int | None = None


class _Answer(Struct):
    data: list[_Embedding]
    model: str = ""
    usage: _Usage | None = None


class _Vector(Struct, tag_field="object", tag="embedding"):
    index: int
    embedding: Sequence[float] | str


class _List(Struct, tag_field="object", tag="list"):
    data: list[_Vector]
    model: str
    usage: dict[str, int]


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode
_KNOWN: Final = frozenset(_Request.__struct_fields__)


class OpenAIEmbeddingsCodec:
    """Embeddings, as floats or base64."""

    dialect: Dialect = "openai.embeddings"
    names: Mapping[str, str] = {"inputs": "input", "inputs.tokens": "input (token ids)"}
    content_type = "application/json"

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> EmbeddingRequest:  # noqa: ARG002 - never streamed
        """Read texts or token ids, one or many."""
        request = read_request(_decode_request, body)
        fields = _decode_fields(body)
        return EmbeddingRequest(
            dialect=self.dialect,
            model=model,
            inputs=_inputs(request.input),
            several=_several(request.input),
            dimensions=request.dimensions,
            base64=request.encoding_format == "base64",
            user=request.user,
            extra={name: fields[name] for name in fields.keys() - _KNOWN if fields[name] is not None},
        )

    def encode_request(self, request: EmbeddingRequest, model: str, losses: Losses) -> bytes:
        """Write the request; the vectors come as floats, which every compatible service can send."""
        if request.task is not None:
            losses.cannot("task")
        extra: Mapping[str, Any] = {}
        if request.dialect == self.dialect:
            extra = request.extra
        else:
            for name in request.extra:
                losses.cannot(name)
        inputs = request.inputs if request.several else request.inputs[0]
        known = msgspec.to_builtins(
            _Outgoing(model, inputs, dimensions=request.dimensions, user=request.user)
        )
        return msgspec.json.encode({**known, **extra})

    def decode_answer(self, body: bytes) -> EmbeddingAnswer:
        """Read vectors, floats or base64, in the order of their indexes."""
        try:
            answer = _decode_answer(body)
        except UNREADABLE as error:
            raise WireError(f"the answer is not a list of embeddings: {error}") from None
        data = answer.data
        if all(item.index is not None for item in data):
            data = sorted(data, key=lambda item: item.index or 0)
        said = answer.usage.prompt_tokens if answer.usage else None
        return EmbeddingAnswer(
            model=answer.model,
            vectors=tuple(
                floats(item.embedding) if isinstance(item.embedding, str) else item.embedding for item in data
            ),
            usage=None if said is None else Usage(prompt_tokens=said),
        )

    def encode_answer(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> bytes:
        """Write vectors in the format that the client asked for."""
        tokens = self.usage(answer, request).prompt_tokens
        write = packed if request.base64 else _as_they_are
        return msgspec.json.encode(
            _List(
                data=[_Vector(index, write(vector)) for index, vector in enumerate(answer.vectors)],
                model=answer.model or request.model,
                usage={"prompt_tokens": tokens, "total_tokens": tokens},
            )
        )

    def usage(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> Usage:
        """Tell what the provider says, or estimate from the inputs; token ids count themselves."""
        return answer.usage or estimate(request)


def floats(text: str) -> list[float]:
    """Read base64 of little-endian 32-bit floats. Raises `WireError` when it is none."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WireError("an embedding is neither a list of numbers nor base64") from None
    if len(data) % _FLOAT_BYTES:
        raise WireError("an embedding in base64 does not hold whole 32-bit floats")
    return _little_endian(array("f", data)).tolist()


def packed(vector: Sequence[float]) -> str:
    """Write base64 of little-endian 32-bit floats."""
    return base64.b64encode(_little_endian(array("f", vector)).tobytes()).decode()


def _as_they_are(vector: Sequence[float]) -> Sequence[float]:
    return vector


def _little_endian(values: array[float]) -> array[float]:
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _several(given: str | list[str | int | list[int]]) -> bool:
    return not (isinstance(given, str) or any(isinstance(one, int) for one in given))


def _inputs(given: str | list[str | int | list[int]]) -> tuple[str | tuple[int, ...], ...]:
    """Take one text, many texts, one list of token ids or many; an empty one or a mixture is refused."""
    if isinstance(given, str):
        return (given,)
    if not given:
        raise InvalidRequest("Invalid 'input': it must not be empty.", param="input", code="empty_array")
    ids = [one for one in given if isinstance(one, int)]
    if len(ids) == len(given):
        return (tuple(ids),)
    texts = [one for one in given if isinstance(one, str)]
    if len(texts) == len(given):
        return tuple(texts)
    lists = [tuple(one) for one in given if isinstance(one, list)]
    if len(lists) == len(given):
        return tuple(lists)
    raise InvalidRequest(
        "Invalid type for 'input': give one text, a list of texts, a list of token ids, or a list of such lists.",
        param="input",
        code="invalid_type",
    )
