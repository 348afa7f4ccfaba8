"""Names of models in an input file for a provider, which knows only its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw

from gateway.errors import InvalidRequest

NameAt: TypeAlias = Callable[[str, str], str]
"""Tells, of a provider and a model's name, how the provider itself calls the model. Raises `ModelNotFound`."""

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_name: Final = msgspec.json.Decoder(str).decode


def with_names(content: bytes, own_name: Callable[[str], str]) -> bytes:
    """Return a file with the names that `own_name` tells; lines without a model, or not to be read, stay as they are.

    Raises what `own_name` raises, with the line before its words.
    """
    lines = content.split(b"\n")
    for number, line in enumerate(lines):
        try:
            fields = _decode(line)
            body = _decode(fields["body"])
            model = _decode_name(body["model"])
        except (*_UNREADABLE, KeyError):
            continue  # what is wrong with it is told when it is to be carried out
        try:
            own = own_name(model)
        except InvalidRequest as error:
            error.message = f"Line {number + 1} of the input file: {error.message}"
            raise
        if own != model:
            fields["body"] = Raw(msgspec.json.encode({**body, "model": own}))
            lines[number] = msgspec.json.encode(fields)
    return b"\n".join(lines)
