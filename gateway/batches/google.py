"""The lines of Google's batches, and their results. https://ai.google.dev/gemini-api/docs/batch-api."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.batches.input import Reader
from gateway.batches.results import Result

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_STATUSES: Final = {
    1: (499, "CANCELLED"),
    3: (400, "INVALID_ARGUMENT"),
    4: (504, "DEADLINE_EXCEEDED"),
    5: (404, "NOT_FOUND"),
    7: (403, "PERMISSION_DENIED"),
    8: (429, "RESOURCE_EXHAUSTED"),
    9: (400, "FAILED_PRECONDITION"),
    14: (503, "UNAVAILABLE"),
    16: (401, "UNAUTHENTICATED"),
}
"""By google.rpc.Code: HTTP status and name."""


class _Request(Struct, frozen=True):
    key: str
    request: Raw


class _Named(Struct, frozen=True):
    model: Any = None


class _Told(Struct):
    code: int = 0
    message: str = ""


class Answered(Struct):
    """What became of a request, in a file or within the batch itself."""

    key: str = ""
    response: Raw = Raw(b"null")
    error: _Told | None = None


class _Counted(Struct, rename="camel"):
    token_count: int | None = None


_decode: Final = msgspec.json.Decoder(_Request).decode
_decode_named: Final = msgspec.json.Decoder(_Named).decode
_decode_answered: Final = msgspec.json.Decoder(Answered).decode
_decode_counted: Final = msgspec.json.Decoder(_Counted).decode


class GoogleReader(Reader):
    """Reads an input file as Google has them: `{"key": …, "request": {…}}` on each line."""

    id_name = "key"

    def parse(self, text: bytes) -> tuple[str, bytes, Any]:
        """See `Reader`."""
        line = _decode(text.decode())
        body = bytes(line.request)
        return line.key, body, model_in(body)


def model_in(request: bytes) -> Any:
    """Return the model that a request names, which may be None. Raises as `Reader.parse`."""
    return _decode_named(request).model


def reads(model: str) -> Callable[[bytes], Iterator[Result]]:
    """Return what reads a line of a file of results of this model."""

    def read(text: bytes) -> Iterator[Result]:
        try:
            answered = _decode_answered(text)
        except _UNREADABLE:
            return
        yield result_of(answered.key, answered, model)

    return read


def result_of(custom_id: str, answered: Answered, model: str) -> Result:
    """Tell what became of a request of this model."""
    told = answered.error or _Told(message="The provider did not say what was wrong.")
    status, code = _STATUSES.get(told.code, (500, "INTERNAL"))
    body = bytes(answered.response)
    succeeded = body != b"null" and answered.error is None
    return Result(
        custom_id=custom_id,
        status=200 if succeeded else status,
        body=_with_usage(body),
        model=model,
        error=(code, told.message),
    )


def _with_usage(body: bytes) -> bytes:
    """Tell the tokens of an embedding where its dialect has them: batches count them elsewhere."""
    try:
        count = _decode_counted(body).token_count
    except _UNREADABLE:
        return body
    if count is None:
        return body
    fields: dict[str, Any] = msgspec.json.decode(body)
    return msgspec.json.encode({**fields, "usageMetadata": {"promptTokenCount": count}})
