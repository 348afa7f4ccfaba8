"""Writes OpenAI embeddings: equal inputs get equal vectors of length one.

https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from base64 import b64encode
from math import sqrt
from typing import Literal

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest

_DIMENSIONS = 1536
_MAX_DIMENSIONS = 65_536
_INT32_MAX = 2**31


class EmbeddingRequest(Struct):
    input: str | list[str | int | list[int]]
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] | None = None

    def inputs(self) -> list[str | list[int]]:
        """Return the texts or token lists, one for each vector."""
        given = self.input
        if isinstance(given, str):
            return [given]
        numbers = [item for item in given if isinstance(item, int)]
        if numbers and len(numbers) == len(given):
            return [numbers]
        if numbers:
            raise InvalidRequest("Invalid 'input': token numbers and texts cannot be mixed.", param="input")
        return [item for item in given if not isinstance(item, int)]

    def last_text(self) -> str:
        """Return the last text, where directives may stand."""
        last = self.inputs()[-1]
        return last if isinstance(last, str) else ""


_decode = msgspec.json.Decoder(EmbeddingRequest).decode


def read(body: bytes) -> EmbeddingRequest:
    """Decode a request; raises `InvalidRequest` as OpenAI would answer 400."""
    try:
        request = _decode(body)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"Invalid request: {error}.") from None
    if not request.input:
        raise InvalidRequest("Invalid 'input': it is empty.", param="input")
    if request.dimensions is not None and not 1 <= request.dimensions <= _MAX_DIMENSIONS:
        raise InvalidRequest(
            f"Invalid 'dimensions': expected a number from 1 to {_MAX_DIMENSIONS}.", param="dimensions"
        )
    return request


def body(request: EmbeddingRequest, model: str, *, reports_usage: bool) -> bytes:
    """Write the answer."""
    inputs = request.inputs()
    vectors = (vector(item, request.dimensions or _DIMENSIONS) for item in inputs)
    as_text = request.encoding_format == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(found) if as_text else found.tolist()}
        for index, found in enumerate(vectors)
    ]
    answer: dict[str, object] = {"object": "list", "data": data, "model": model}
    if reports_usage:
        tokens = sum(-(-len(item) // 4) if isinstance(item, str) else len(item) for item in inputs)
        answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return msgspec.json.encode(answer)


def vector(item: str | list[int], dimensions: int) -> array[float]:
    """Make a vector of 32-bit floats from the digest of an input."""
    digest = hashlib.shake_128(msgspec.json.encode(item)).digest(4 * dimensions)
    numbers = array("i", digest)
    if sys.byteorder == "big":
        numbers.byteswap()
    length = sqrt(sum((number / _INT32_MAX) ** 2 for number in numbers)) or 1.0
    return array("f", (number / _INT32_MAX / length for number in numbers))


def _base64(numbers: array[float]) -> str:
    """Encode as OpenAI does: little-endian 32-bit floats."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()
