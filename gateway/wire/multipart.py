"""Forms with files: multipart/form-data (RFC 7578, RFC 2046 §5.1), whole and in memory, strict and bounded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.errors import InvalidRequest

MAX_PARTS: Final = 256
MAX_HEAD_BYTES: Final = 8192
"""Of the header lines of one part."""

_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]*)"|([^\s;"]+))\s*(?=;|$)', re.IGNORECASE)
_BOUNDARY_CHARACTERS: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PADDING: Final = b" \t"
_DISPOSITION: Final = re.compile(r"\s*form-data\s*(?=;)", re.IGNORECASE)
_PARAMETER: Final = re.compile(r';\s*([A-Za-z*]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))\s*', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\])')
_PLAIN_ENCODINGS: Final = frozenset({"7bit", "8bit", "binary"})


class Field(Struct, frozen=True):
    """One field of a form. `start` and `end` say where in the body its data are."""

    name: str
    start: int
    end: int
    filename: str | None = None
    content_type: str | None = None


class NewField(Struct, frozen=True):
    """A field to be written."""

    name: str
    data: bytes
    filename: str | None = None
    content_type: str | None = None


class Form:
    """A form that was read. Its body stays as it came, so that whatever is not changed is passed on byte for byte."""

    __slots__ = ("body", "boundary", "fields")

    def __init__(self, body: bytes, boundary: bytes, fields: Sequence[Field]) -> None:
        self.body = body
        self.boundary = boundary
        self.fields = tuple(fields)

    def named(self, *names: str) -> tuple[Field, ...]:
        """Return the fields of these names, in order."""
        return tuple(field for field in self.fields if field.name in names)

    def data(self, field: Field) -> bytes:
        """Return what a field holds."""
        return self.body[field.start : field.end]

    def text(self, name: str) -> str | None:
        """Return the text of a field that may come once; None when it did not come.

        Raises `InvalidRequest` when it came twice, or is not UTF-8.
        """
        found = list(self.named(name))
        if not found:
            return None
        if len(found) > 1:
            raise InvalidRequest(f"Invalid '{name}': the form holds it {len(found)} times.", param=name)
        try:
            return self.data(found[0]).decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"Invalid '{name}': it is not UTF-8.", param=name) from None

    def with_text(self, name: str, value: str) -> bytes:
        """Return the body with one field changed, or added at the front; every other byte stays."""
        found = self.named(name)
        if not found:
            return _encoded(NewField(name, value.encode()), self.boundary) + self.body
        field = found[0]
        return self.body[: field.start] + value.encode() + self.body[field.end :]


def is_form(content_type: str) -> bool:
    """Whether a content type says that the body is such a form."""
    return content_type.lstrip()[:19].lower() == "multipart/form-data"


def parse(body: bytes, content_type: str) -> Form:
    """Read a form. Raises `InvalidRequest` naming what is wrong with it."""
    if not is_form(content_type):
        raise _invalid("the content-type must be multipart/form-data with a boundary")
    boundary = _BOUNDARY.search(content_type)
    text = (boundary[1] or boundary[2] or "") if boundary else ""
    if not _BOUNDARY_CHARACTERS.fullmatch(text):
        raise _invalid("the content-type has no valid boundary")
    return _parse(body, text.encode())


def parse_again(body: bytes) -> Form:
    """Read a form whose content type is not at hand, but was checked before: its first line is the boundary."""
    return _parse(body, body[2 : body.find(b"\r\n")].rstrip(_PADDING))


def write(fields: Sequence[NewField]) -> tuple[bytes, str]:
    """Write a form; return it with its content type. The boundary is one that the data do not hold."""
    digest = hashlib.sha256(b"\0".join(field.data for field in fields)).hexdigest()[:32]
    number = 0
    boundary = digest.encode()
    while any(boundary in field.data for field in fields):
        number += 1
        boundary = b"%b-%d" % (digest.encode(), number)
    body = b"".join(_encoded(field, boundary) for field in fields) + b"--" + boundary + b"--\r\n"
    return body, f"multipart/form-data; boundary={boundary.decode()}"


def _parse(body: bytes, boundary: bytes) -> Form:
    delimiter = b"--" + boundary
    if not body.startswith(delimiter):
        raise _invalid("it does not begin with the boundary that the content-type names")
    fields: list[Field] = []
    position = len(delimiter)
    while not body.startswith(b"--", position):
        if len(fields) == MAX_PARTS:
            raise _invalid(f"it has more than {MAX_PARTS} fields")
        line_end = body.find(b"\r\n", position)
        if line_end < 0 or body[position:line_end].strip(_PADDING):
            raise _invalid("a boundary is not followed by a line end")
        # The line break before a boundary belongs to it, and may be the one that ends an empty list of headers.
        head_end = body.find(b"\r\n\r\n", line_end, line_end + MAX_HEAD_BYTES)
        if head_end < 0:
            raise _invalid(f"a field has no end of its headers within {MAX_HEAD_BYTES} bytes")
        start = head_end + 4
        end = body.find(b"\r\n" + delimiter, start - 2)
        if end < 0:
            raise _invalid("it breaks off: the last boundary is missing")
        if end < start:
            raise _invalid("a field has headers, but no empty line after them")
        fields.append(_field(body[line_end + 2 : head_end], start, end))
        position = end + 2 + len(delimiter)
    if body[position + 2 :].strip(b" \t\r\n"):
        raise _invalid("something follows the last boundary")
    return Form(body, boundary, fields)


def _field(head: bytes, start: int, end: int) -> Field:
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or not name.strip():
            raise _invalid("a field has a line among its headers that is none")
        try:
            headers[name.strip().lower().decode("ascii")] = value.strip().decode()
        except UnicodeDecodeError:
            raise _invalid("the headers of a field are not UTF-8") from None
    disposition = headers.get("content-disposition", "")
    beginning = _DISPOSITION.match(disposition)
    parameters: dict[str, str] = {}
    position = beginning.end() if beginning else -1
    while 0 <= position < len(disposition):
        found = _PARAMETER.match(disposition, position)
        if found is None:
            position = -1
            break
        value = found[3] if found[2] is None else _ESCAPED.sub(r"\1", found[2])
        parameters.setdefault(found[1].lower(), value)
        position = found.end()
    if position < 0 or not parameters.get("name"):
        raise _invalid("a field has no content-disposition of the kind form-data with a name")
    if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN_ENCODINGS:
        raise _invalid("a field has a content-transfer-encoding, which RFC 7578 has done away with")
    return Field(
        parameters["name"],
        start,
        end,
        filename=parameters.get("filename"),
        content_type=headers.get("content-type"),
    )


def _encoded(field: NewField, boundary: bytes) -> bytes:
    head = f'content-disposition: form-data; name="{_quoted(field.name)}"'
    if field.filename is not None:
        head += f'; filename="{_quoted(field.filename)}"'
    if field.content_type is not None:
        head += f"\r\ncontent-type: {field.content_type}"
    return b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, head.encode(), field.data)


def _quoted(text: str) -> str:
    """Escape what would end the quotes or the line, as browsers do (HTML, multipart/form-data encoding algorithm)."""
    return text.replace("\\", "\\\\").replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _invalid(problem: str) -> InvalidRequest:
    return InvalidRequest(f"The request body is not a valid form: {problem}.", code="invalid_form")
