"""The size and quality of the pictures or the film that a request asks for, where their price hangs on it."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.types import Call
from gateway.wire import multipart

MAKES: Final = frozenset({"image", "video"})
"""Capabilities of which sizes are asked for."""


class _Request(Struct):
    size: str | None = None
    quality: str | None = None


_decode: Final = msgspec.json.Decoder(_Request).decode


def made_as(call: Call) -> tuple[str, str]:
    """Size and quality as the client names them; each is empty where nothing is said, or left to the model."""
    try:
        if multipart.is_form(call.content_type):
            form = multipart.parse(call.body, call.content_type)
            size, quality = form.text("size"), form.text("quality")
        else:
            request = _decode(call.body)
            size, quality = request.size, request.quality
    except (ValueError, InvalidRequest):
        return "", ""
    return _said(size), _said(quality)


def _said(word: str | None) -> str:
    return "" if word is None or word == "auto" else word.lower()
