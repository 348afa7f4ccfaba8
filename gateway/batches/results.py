"""The lines of the files that a batch leaves. https://platform.openai.com/docs/api-reference/batch/request-output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Answer(Struct):
    status_code: int = 0
    body: Raw = Raw(b"null")


class _Told(Struct):
    code: str | None = None
    message: str | None = None


class _Line(Struct):
    custom_id: str
    response: _Answer | None = None
    error: _Told | None = None


class _Body(Struct):
    model: str = "unknown"
    error: _Told | None = None


_decode: Final = msgspec.json.Decoder(_Line).decode
_decode_body: Final = msgspec.json.Decoder(_Body).decode


class Result(Struct, frozen=True, kw_only=True):
    """What became of one line."""

    custom_id: str
    status: int
    """Of HTTP; 0 where the request was never made."""
    body: bytes
    """JSON."""
    model: str
    """As the answer names it."""
    error: tuple[str, str]
    """Code and message, for a line that did not succeed."""

    @property
    def succeeded(self) -> bool:
        """Whether there is an answer that is none of an error."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's range of successes


class ResultReader:
    """Reads a file of results as it comes, cut anywhere, each line with `read`. What is no result is left out."""

    def __init__(self, read: Callable[[bytes], Iterator[Result]]) -> None:
        self._read = read
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Result]:
        """Take some bytes; yield the results on the lines that are now whole."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for text in whole:
            yield from self._read(text)

    def end(self) -> Iterator[Result]:
        """Yield the result on the last line, if no line end follows it."""
        yield from self._read(self._rest)


def openai_result(text: bytes) -> Iterator[Result]:
    """Read a line as OpenAI writes them."""
    try:
        line = _decode(text)
    except _UNREADABLE:
        return
    answer = line.response or _Answer()
    body, told = _body(answer.body), line.error
    if told is None or not (told.code or told.message):
        told = body.error or _Told()
    yield Result(
        custom_id=line.custom_id,
        status=answer.status_code,
        body=bytes(answer.body),
        model=body.model,
        error=(told.code or "upstream_error", told.message or "The provider did not say what was wrong."),
    )


def _body(body: Any) -> _Body:
    try:
        return _decode_body(body)
    except _UNREADABLE:
        return _Body()
