"""How many tokens a prompt may be, told from the bytes of its body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_PICTURE_TOKENS: Final = 1_700
"""What providers take for a picture in a prompt, at most of the time."""
_MEDIUM: Final = 4_096
"""Shorter strings are counted as text, whatever they hold."""
_PICTURES: Final = (b"/9j/", b"iVBORw", b"R0lGOD", b"UklGR")
"""How JPEG, PNG, GIF and WebP begin in base64."""
_BYTES_PER_TOKEN: Final = 24
"""Of other files in base64: a page of a PDF, or a second of sound."""


def text_tokens(body: bytes) -> int:
    """Three bytes to a token, two where a text is not English; media by what they are."""
    tokens, length = 0, len(body)
    for medium in _media(body):
        length -= len(medium)
        tokens += _medium_tokens(medium)
    return tokens + (-(-length // 3) if body.isascii() else -(-length // 2))


def _media(body: bytes) -> Iterator[bytes]:
    """Find the strings that are base64: long ones that begin without a space, in ASCII and without escaped letters.

    Each holds a block of half the least length, so a look at every such block finds them all: text has a space in it.
    """
    block = _MEDIUM // 2
    place, length = 0, len(body)
    while place + block <= length:
        end = place + block
        if body.find(b" ", place, end) < 0:
            start = body.rfind(b'"', 0, place) + 1
            quote = body.find(b'"', place)
            string = body[start : quote if quote >= 0 else length]
            beginning = string[:_MEDIUM]
            if (
                len(string) > _MEDIUM
                and beginning.isascii()
                and not (b" " in beginning or b"\\u" in beginning)
            ):
                yield string
            end = max(end, start + len(string) + 1)
        place = end


def _medium_tokens(piece: bytes) -> int:
    _, comma, data = piece[:100].partition(b",")
    start = data if comma else piece[:8]
    return _PICTURE_TOKENS if start.startswith(_PICTURES) else len(piece) // _BYTES_PER_TOKEN
