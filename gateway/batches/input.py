"""The input file of a batch: one request on each line, as JSON.

https://platform.openai.com/docs/api-reference/batch/request-input
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.store.batch_runs import Line

MOST_LINES: Final = 50_000
MOST_PROBLEMS: Final = 100
"""After so many, the rest of the file is not looked at."""
LONGEST_CUSTOM_ID: Final = 512


class Problem(Struct, frozen=True, kw_only=True):
    """What is wrong with the file, as the client is told it."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class Unfit(Exception):
    """A line that cannot be carried out: code, message and parameter."""


class _Request(Struct, frozen=True):
    custom_id: str
    method: str
    url: str
    body: Raw


class _Body(Struct, frozen=True):
    model: Any = None


_decode = msgspec.json.Decoder(_Request).decode
_decode_body = msgspec.json.Decoder(_Body).decode


class Reader:
    """Reads a file as it comes, in pieces cut anywhere. A subclass says what a line looks like."""

    id_name: str
    """What lines call the id by which their clients know them."""

    def __init__(self, *, max_line: int) -> None:
        self.problems: list[Problem] = []
        self.count = 0
        """Of the requests so far."""
        self.gave_up = False
        """So much is wrong that the rest need not be read."""
        self._max_line = max_line
        self._number = 0
        self._rest = b""
        self._seen: set[str] = set()
        self._models: set[str] = set()

    def parse(self, text: bytes) -> tuple[str, bytes, Any]:
        """Return id, request and model of a line.

        Raises `Unfit`, and `msgspec.DecodeError`, `UnicodeDecodeError` or `RecursionError` for what is no such JSON.
        """
        raise NotImplementedError

    @property
    def model(self) -> str | None:
        """The model that all requests name."""
        return next(iter(self._models)) or None if len(self._models) == 1 else None

    def feed(self, data: bytes) -> list[Line]:
        """Take some bytes; return the requests on the lines that are now whole."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = [line for text in whole if (line := self._read(text)) is not None]
        if len(self._rest) > self._max_line and not self.gave_up:
            self._number += 1
            self._refuse("line_too_long", self._too_long)
            self.gave_up = True
        return lines

    def end(self) -> list[Line]:
        """Return the request on the last line, if no line end follows it."""
        last, self._rest = self._rest, b""
        line = self._read(last)
        if not self.count and not self.problems:
            self.problems.append(Problem(code="empty_file", message="The input file holds no request."))
        return [] if line is None else [line]

    @property
    def _too_long(self) -> str:
        return f"The line is longer than the {self._max_line} bytes that a request may have."

    def _read(self, text: bytes) -> Line | None:
        self._number += 1
        text = text.strip()
        if not text or self.gave_up:
            return None
        try:
            return self._request(text)
        except Unfit as unfit:
            self._refuse(*unfit.args)
            return None

    def _request(self, text: bytes) -> Line:
        if len(text) > self._max_line:
            raise Unfit("line_too_long", self._too_long)
        try:
            name, body, model = self.parse(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unfit("invalid_json_line", f"The line is no request in JSON: {_told(error)}.") from None
        if not 0 < len(name) <= LONGEST_CUSTOM_ID or "\0" in name:
            told = f"The {self.id_name} must have 1 to {LONGEST_CUSTOM_ID} characters, and none of them NUL."
            raise Unfit(f"invalid_{self.id_name}", told, self.id_name)
        if name in self._seen:
            told = f"The {self.id_name} '{name}' is used more than once."
            raise Unfit(f"duplicate_{self.id_name}", told, self.id_name)
        if self.count == MOST_LINES:
            self.gave_up = True
            raise Unfit("too_many_requests", f"A batch has at most {MOST_LINES} requests.")
        self._seen.add(name)
        self.count += 1
        if len(self._models) < 2:  # noqa: PLR2004 - more than one is as good as many
            self._models.add(model if isinstance(model, str) else "")
        return Line(self._number, name, body)

    def _refuse(self, code: str, message: str, param: str | None = None) -> None:
        self.problems.append(Problem(code=code, message=message, line=self._number, param=param))
        self.gave_up = self.gave_up or len(self.problems) >= MOST_PROBLEMS


class InputReader(Reader):
    """Reads a file as OpenAI has them. Every line must be for `endpoint`."""

    id_name = "custom_id"

    def __init__(self, endpoint: str, *, max_line: int) -> None:
        super().__init__(max_line=max_line)
        self._endpoint = endpoint

    def parse(self, text: bytes) -> tuple[str, bytes, Any]:
        """See `Reader`."""
        request = _decode(text.decode())
        if request.method != "POST":
            raise Unfit("invalid_method", "The method must be 'POST'.", "method")
        if request.url != self._endpoint:
            told = f"The batch is for '{self._endpoint}', so every url must be that."
            raise Unfit("mismatched_url", told, "url")
        body = bytes(request.body)
        return request.custom_id, body, _decode_body(body).model


def _told(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error).replace("`", "'")
